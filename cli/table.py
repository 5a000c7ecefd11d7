"""Reports for people: names on the left, values on the right."""

import sys
from collections.abc import Mapping


def show(rows: Mapping[str, str]) -> None:
    """Print a report on stdout, one line a row, never wrapped: it may be piped."""
    width = max(map(len, rows))
    for name, value in rows.items():
        sys.stdout.write(f"{name:<{width}}  {value}\n")
