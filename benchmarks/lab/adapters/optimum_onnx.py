"""optimum-onnx: its export in fp32, or its AVX512-VNNI dynamic int8."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .batches import Padded


class Optimum(Padded):
    def __init__(self, int8: bool = False) -> None:
        self.int8 = int8

    def load(self, model: Path, work: Path, threads: int) -> None:
        import onnxruntime
        from optimum.onnxruntime import ORTModelForFeatureExtraction, ORTQuantizer
        from optimum.onnxruntime.configuration import AutoQuantizationConfig

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        plain, quantized = work / "optimum", work / "optimum-int8"
        if not plain.exists():
            ORTModelForFeatureExtraction.from_pretrained(model, export=True).save_pretrained(plain)
        name = "model.onnx"
        if self.int8:
            name = "model_quantized.onnx"
            if not quantized.exists():
                config = AutoQuantizationConfig.avx512_vnni(is_static=False, per_channel=False)
                ORTQuantizer.from_pretrained(plain).quantize(save_dir=quantized, quantization_config=config)
        folder = quantized if self.int8 else plain
        self.model = ORTModelForFeatureExtraction.from_pretrained(folder, file_name=name, session_options=options)
        self.takes = set(self.model.input_names)

    def forward(self, batch: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        return np.asarray(self.model(**{n: a for n, a in batch.items() if n in self.takes}).last_hidden_state)


def make(**options: Any) -> Optimum:
    return Optimum(**options)
