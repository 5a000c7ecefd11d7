"""Named entities for redaction from any tagging bundle: what stands behind the entry point group `cloister.taggers`."""

import os
from collections.abc import Sequence
from pathlib import Path

from .. import InvalidInput
from .engine import Engine, Options, load
from .results import Entity, Tagging

__all__ = ["BundleTagger", "from_bundle"]

# Half of a surrogate pair stands for no character, and no tokenizer takes it; one for one keeps offsets.
_HALVES = dict.fromkeys(range(55296, 57344), "�")


class BundleTagger:
    """A tagging model as the `Tagger` that a `Redactor` takes. Safe to call from threads.

    Args:
        engine: a loaded bundle whose task is `token-classification`. Texts past the model's window are read in
            overlapping windows, offsets stay those of the text.

    Raises:
        InvalidInput: the bundle has another task.
    """

    def __init__(self, engine: Engine) -> None:
        if engine.task != "token-classification":
            raise InvalidInput(
                f"The task of the bundle is {engine.task}, a tagger needs token-classification.",
                hint="Name a tagging bundle; `cloister inspect` shows the task.",
            )
        self._engine = engine

    def __repr__(self) -> str:
        return f"BundleTagger({self._engine!r})"

    def __call__(self, texts: list[str], /) -> Sequence[Sequence[Entity]]:
        """Entities of every text, in the order of the texts; offsets are code points."""
        predictions = self._engine.predict([text.translate(_HALVES) for text in texts])
        return [prediction.entities if isinstance(prediction, Tagging) else () for prediction in predictions]


def from_bundle(path: str | os.PathLike[str]) -> BundleTagger:
    """Tagger from a bundle folder, on one CPU thread: segments are short, and many requests share the cores.

    Raises:
        BundleError, MissingExtra, ProviderError: as `load`.
        InvalidInput: the bundle has another task.
    """
    return BundleTagger(load(Path(path), options=Options(provider="cpu", threads=1)))
