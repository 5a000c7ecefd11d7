"""Plain ONNX Runtime: transformers' own exporter, fp32 or its dynamic int8 (QInt8)."""

import inspect
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .batches import Padded, made


def graph(model: Path, work: Path) -> Path:
    """The float graph, made once."""
    return made(work / "plain", lambda to: _export(model, to / "model.onnx")) / "model.onnx"


def _export(model: Path, path: Path) -> None:
    import torch
    from transformers import AutoModel
    from transformers.exporters.exporter_onnx import OnnxConfig, OnnxExporter  # type: ignore[attr-defined]

    ids = torch.arange(4, 18).reshape(2, 7)
    loaded: Any = AutoModel.from_pretrained(model).eval()
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "token_type_ids": torch.zeros_like(ids)}
    takes = inspect.signature(loaded.forward).parameters
    exported = OnnxExporter().export(  # type: ignore[no-untyped-call]
        loaded, {n: v for n, v in inputs.items() if n in takes}, config=OnnxConfig(dynamic=True)
    )
    OnnxExporter.save_program(exported.program, str(path))


class Plain(Padded):
    def __init__(self, int8: bool = False) -> None:
        self.int8 = int8

    def load(self, model: Path, work: Path, threads: int) -> None:
        import onnxruntime

        path = graph(model, work)
        if self.int8:
            from onnxruntime.quantization import QuantType, quantize_dynamic

            float_path = path
            folder = made(
                work / "plain-int8",
                lambda to: quantize_dynamic(str(float_path), str(to / "model.onnx"), weight_type=QuantType.QInt8),
            )
            path = folder / "model.onnx"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.takes = {i.name for i in self.session.get_inputs()}

    def forward(self, batch: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        feeds = {n: a for n, a in batch.items() if n in self.takes}
        return np.asarray(self.session.run(["last_hidden_state"], feeds)[0])


def make(**options: Any) -> Plain:
    return Plain(**options)
