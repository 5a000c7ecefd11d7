"""Cloister itself: `Engine.forward` without tokenization, `Engine.predict` with it."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_EXPORT = Path(__file__).resolve().parents[3] / "export"


class Cloister:
    modes = ("default",)
    split = True

    def __init__(self, precision: str = "int8") -> None:
        self.precision = precision

    def prepare(self, model: Path, work: Path, threads: int) -> None:
        from cloister.runtime import Options, load

        self.engine = load(self._bundle(model, work), options=Options(provider="cpu", threads=threads))

    def _bundle(self, model: Path, work: Path) -> Path:
        """Exported once for each state of the exporter, so that no run measures the graph of an older one."""
        out = work / f"cloister-{self.precision}"
        stamp = out.with_name(f"{out.name}.exporter")
        sources = b"".join(path.read_bytes() for path in sorted(_EXPORT.glob("*.py")))
        digest = hashlib.sha256(sources).hexdigest()
        if not out.exists() or not stamp.exists() or stamp.read_text() != digest:
            from cloister.export import export

            work.mkdir(parents=True, exist_ok=True)
            export(model, out, task="feature-extraction", precision=self.precision, force=out.exists())
            stamp.write_text(digest)
        return out

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
