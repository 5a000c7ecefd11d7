"""infinity as a library, with its torch engine."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np

from .batches import Texts


class Infinity(Texts):
    def prepare(self, model: Path, work: Path, threads: int) -> None:
        import torch
        from infinity_emb import AsyncEmbeddingEngine, EngineArgs

        torch.set_num_threads(threads)
        arguments = EngineArgs(model_name_or_path=str(model), engine="torch", device="cpu", bettertransformer=False)
        self.loop = asyncio.new_event_loop()
        self.engine = AsyncEmbeddingEngine.from_args(arguments)
        self.loop.run_until_complete(self.engine.astart())
        self.encode = lambda texts: np.stack(self.loop.run_until_complete(self.engine.embed(sentences=texts))[0])


def make(**options: Any) -> Infinity:
    return Infinity(**options)
