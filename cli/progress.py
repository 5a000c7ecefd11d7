"""Progress on a terminal, silence in a pipe."""

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any


def steps() -> Any:
    """A function of a step's name: a spinner with it on a terminal, nothing in a pipe."""
    if not sys.stderr.isatty():
        return nullcontext
    from rich.console import Console

    console = Console(stderr=True)

    def step(name: str) -> AbstractContextManager[Any]:
        return console.status(f"{name} …")

    return step
