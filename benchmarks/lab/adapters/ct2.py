"""CTranslate2's encoder in int8."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .batches import Padded, made


class CTranslate2(Padded):
    def load(self, model: Path, work: Path, threads: int) -> None:
        import ctranslate2

        converter = ctranslate2.converters.TransformersConverter(str(model))
        out = made(work / "ctranslate2", lambda to: converter.convert(str(to), quantization="int8", force=True))
        self.encoder = ctranslate2.Encoder(str(out), device="cpu", compute_type="int8", intra_threads=threads)

    def forward(self, batch: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        lengths = batch["attention_mask"].sum(1)
        ids = [row[:n].tolist() for row, n in zip(batch["input_ids"], lengths, strict=True)]
        return np.asarray(self.encoder.forward_batch(ids).last_hidden_state)


def make(**options: Any) -> CTranslate2:
    return CTranslate2(**options)
