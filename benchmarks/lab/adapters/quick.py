"""fastembed with the optimum export as a model of one's own."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from .batches import Texts


class FastEmbed(Texts):
    def prepare(self, model: Path, work: Path, threads: int) -> None:
        from fastembed import TextEmbedding
        from fastembed.common.model_description import ModelSource, PoolingType

        folder = work / "fastembed"
        if not folder.exists():
            shutil.copytree(model, folder, ignore=shutil.ignore_patterns("*.safetensors"))
            shutil.copy(work / "optimum" / "model.onnx", folder / "model.onnx")
        TextEmbedding.add_custom_model(
            model="lab/model", pooling=PoolingType.MEAN, normalization=True, sources=ModelSource(hf="lab/model"),
            dim=384, model_file="model.onnx",
        )  # fmt: skip
        self.model = TextEmbedding("lab/model", specific_model_path=str(folder), threads=threads)
        self.encode = lambda texts: np.stack(list(self.model.embed(texts)))


def make(**options: Any) -> FastEmbed:
    return FastEmbed(**options)
