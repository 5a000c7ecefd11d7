"""Progress on a terminal, silence in a pipe."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any


def steps() -> Any:
    """A function of a step's name: a bar with it on a terminal, nothing in a pipe.

    Entering a step on a terminal gives a function of the share that is done; the bar pulses until it is called.
    """
    if not sys.stderr.isatty():
        return nullcontext
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)

    @contextmanager
    def step(name: str) -> Iterator[Callable[[float], None]]:
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task(name, total=None)
            yield lambda share: bar.update(task, total=1.0, completed=share)

    return step
