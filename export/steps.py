"""The named steps of a long command, shown while they run."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

Step = Callable[[str], AbstractContextManager[Any]]
"""Called with the name of each step; what the context yields, if anything, is called with the share that is done."""
