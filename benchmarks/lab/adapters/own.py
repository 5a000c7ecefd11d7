"""Cloister itself: `Engine.forward` without tokenization, `Engine.predict` with it."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Cloister:
    modes = ("default",)
    split = True

    def __init__(self, precision: str = "int8") -> None:
        self.precision = precision

    def prepare(self, model: Path, work: Path, threads: int) -> None:
        from cloister.runtime import Options, load

        out = work / f"cloister-{self.precision}"
        if not out.exists():
            from cloister.export import export

            work.mkdir(parents=True, exist_ok=True)
            export(model, out, task="feature-extraction", precision=self.precision)
        self.engine = load(out, options=Options(provider="cpu", threads=threads))

    def texts(self, texts: list[str]) -> None:
        self._texts = texts
        self._tokens = self.engine.tokenize(texts, truncate=True)

    def run(self, mode: str) -> object:
        return self.engine.forward(self._tokens)

    def whole(self, mode: str) -> NDArray[np.float32]:
        rows: Any = self.engine.predict(self._texts, truncate=True)
        return np.stack([row.vector for row in rows])


def make(**options: Any) -> Cloister:
    return Cloister(**options)
