"""optimum-onnx: its export in fp32, or its AVX512-VNNI dynamic int8, with ONNX Runtime's fusions (O2) where asked."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .batches import Padded, made


class Optimum(Padded):
    def __init__(self, int8: bool = False, fused: bool = False) -> None:
        self.int8, self.fused = int8, fused

    def load(self, model: Path, work: Path, threads: int) -> None:
        import onnxruntime
        from optimum.onnxruntime import ORTModelForFeatureExtraction

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        folder = made(
            work / "optimum",
            lambda to: ORTModelForFeatureExtraction.from_pretrained(model, export=True).save_pretrained(to),
        )
        if self.fused:
            folder = self._optimized(folder, work / "optimum-fused")
        if self.int8:
            quantized = folder.with_name(folder.name + "-int8")
            folder = self._fused_quantized(folder, quantized) if self.fused else self._quantized(folder, quantized)
        file = next(folder.glob("*.onnx")).name
        self.model = ORTModelForFeatureExtraction.from_pretrained(folder, file_name=file, session_options=options)
        self.takes = set(self.model.input_names)

    def _optimized(self, folder: Path, out: Path) -> Path:
        from optimum.onnxruntime import ORTOptimizer
        from optimum.onnxruntime.configuration import AutoOptimizationConfig

        config = AutoOptimizationConfig.O2()
        return made(
            out, lambda to: ORTOptimizer.from_pretrained(folder).optimize(save_dir=to, optimization_config=config)
        )

    def _quantized(self, folder: Path, out: Path) -> Path:
        from optimum.onnxruntime import ORTQuantizer
        from optimum.onnxruntime.configuration import AutoQuantizationConfig

        config = AutoQuantizationConfig.avx512_vnni(is_static=False, per_channel=False)
        quantizer = ORTQuantizer.from_pretrained(folder, file_name=next(folder.glob("*.onnx")).name)
        return made(out, lambda to: quantizer.quantize(save_dir=to, quantization_config=config))

    def _fused_quantized(self, folder: Path, out: Path) -> Path:
        """As ORTQuantizer does, which cannot say the type behind fused operators (`DefaultTensorType`)."""
        from onnxruntime.quantization import QuantType, quantize_dynamic

        def quantize(to: Path) -> None:
            options = {"DefaultTensorType": 1, "MatMulConstBOnly": True}  # 1: float32
            source = str(next(folder.glob("*.onnx")))
            quantize_dynamic(source, str(to / "model.onnx"), weight_type=QuantType.QInt8, extra_options=options)
            (to / "config.json").write_bytes((folder / "config.json").read_bytes())

        return made(out, quantize)

    def forward(self, batch: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        return np.asarray(self.model(**{n: a for n, a in batch.items() if n in self.takes}).last_hidden_state)


def make(**options: Any) -> Optimum:
    return Optimum(**options)
