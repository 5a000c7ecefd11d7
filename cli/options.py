"""Options that several commands share."""

from enum import StrEnum


class Provider(StrEnum):
    """Execution providers."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
