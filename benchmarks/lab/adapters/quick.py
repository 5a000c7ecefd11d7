"""fastembed with the optimum export as a model of one's own."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from .batches import Texts, made


class FastEmbed(Texts):
    def prepare(self, model: Path, work: Path, threads: int) -> None:
        from fastembed import TextEmbedding
        from fastembed.common.model_description import ModelSource, PoolingType

        def copies(to: Path) -> None:
            shutil.copytree(model, to, ignore=shutil.ignore_patterns("*.safetensors"), dirs_exist_ok=True)
            for file in (work / "optimum").glob("model.onnx*"):
                shutil.copy(file, to / file.name)

        folder = made(work / "fastembed", copies)
        config = json.loads((folder / "config.json").read_text())
        TextEmbedding.add_custom_model(
            model="lab/model", pooling=PoolingType.MEAN, normalization=True, sources=ModelSource(hf="lab/model"),
            dim=config.get("hidden_size", config.get("dim")), model_file="model.onnx",
        )  # fmt: skip
        self.model = TextEmbedding("lab/model", specific_model_path=str(folder), threads=threads)
        self.encode = lambda texts: np.stack(list(self.model.embed(texts)))


def make(**options: Any) -> FastEmbed:
    return FastEmbed(**options)
