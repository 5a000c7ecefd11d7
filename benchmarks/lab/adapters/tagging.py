"""Cloister with a tagging bundle as it ships: no vectors, so nothing is compared."""

from pathlib import Path
from typing import Any


class Tagger:
    modes = ("default",)
    split = True

    def prepare(self, model: Path, work: Path, threads: int) -> None:
        from cloister.runtime import Options, load

        self.engine = load(model, options=Options(provider="cpu", threads=threads))

    def texts(self, texts: list[str]) -> None:
        self._texts = texts
        self._tokens = self.engine.tokenize(texts, truncate=True)

    def run(self, mode: str) -> object:
        return self.engine.forward(self._tokens)

    def whole(self, mode: str) -> None:
        self.engine.predict(self._texts)


def make(**options: Any) -> Tagger:
    return Tagger(**options)
