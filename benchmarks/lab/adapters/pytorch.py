"""PyTorch: eager in fp32 or bf16, or through torch.compile."""

import inspect
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .batches import Padded


class Torch(Padded):
    def __init__(self, precision: str = "fp32", compiled: bool = False) -> None:
        self.precision, self.compiled = precision, compiled

    def load(self, model: Path, work: Path, threads: int) -> None:
        import torch
        from transformers import AutoModel

        self.torch = torch
        torch.set_num_threads(threads)
        kind = torch.bfloat16 if self.precision == "bf16" else torch.float32
        loaded: Any = AutoModel.from_pretrained(model, dtype=kind).eval()
        self.takes = set(inspect.signature(loaded.forward).parameters)
        self.model = torch.compile(loaded, dynamic=True) if self.compiled else loaded

    def forward(self, batch: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        names = [n for n in batch if n in self.takes]
        with self.torch.inference_mode():
            out = self.model(**{n: self.torch.from_numpy(batch[n]) for n in names}).last_hidden_state
        return np.asarray(out.float().numpy())


def make(**options: Any) -> Torch:
    return Torch(**options)
