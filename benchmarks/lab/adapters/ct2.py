"""CTranslate2's encoder in int8."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .batches import Padded


class CTranslate2(Padded):
    def load(self, model: Path, work: Path, threads: int) -> None:
        import ctranslate2

        out = work / "ctranslate2"
        if not out.exists():
            ctranslate2.converters.TransformersConverter(str(model)).convert(str(out), quantization="int8")
        self.encoder = ctranslate2.Encoder(str(out), device="cpu", compute_type="int8", intra_threads=threads)

    def forward(self, batch: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        lengths = batch["attention_mask"].sum(1)
        ids = [row[:n].tolist() for row, n in zip(batch["input_ids"], lengths, strict=True)]
        return np.asarray(self.encoder.forward_batch(ids).last_hidden_state)


def make(**options: Any) -> CTranslate2:
    return CTranslate2(**options)
