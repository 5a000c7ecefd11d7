"""OpenVINO: fp32, bf16, or int8 by NNCF (static, with SmoothQuant), from the float ONNX graph."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .batches import Padded
from .onnx_plain import graph

_SENTENCES = Path(__file__).resolve().parents[2] / "data" / "sentences.jsonl"


class OpenVino(Padded):
    def __init__(self, precision: str = "fp32") -> None:
        self.precision = precision

    def load(self, model: Path, work: Path, threads: int) -> None:
        import openvino

        path = graph(model, work)
        core = openvino.Core()
        if self.precision == "int8":
            saved = work / "openvino-int8.xml"
            if not saved.exists():
                import nncf

                # Other texts than those that are timed: the last of the set.
                lines = _SENTENCES.read_text("utf-8").splitlines()[-100:]
                rows = [
                    self._padded([e.ids]) for e in self.tokenizer.encode_batch([json.loads(x)["text"] for x in lines])
                ]
                source = core.read_model(path)
                names = {i.get_any_name() for i in source.inputs}
                data = nncf.Dataset([{n: a for n, a in row.items() if n in names} for row in rows])
                done = nncf.quantize(source, data, model_type=nncf.ModelType.TRANSFORMER, subset_size=len(rows))
                openvino.save_model(done, saved, compress_to_fp16=False)
            path = saved
        settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
        settings["INFERENCE_PRECISION_HINT"] = "bf16" if self.precision == "bf16" else "f32"
        self.model = core.compile_model(core.read_model(path), "CPU", settings)
        self.names = {i.get_any_name() for i in self.model.inputs}

    def forward(self, batch: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        return np.asarray(self.model({n: a for n, a in batch.items() if n in self.names})[0])


def make(**options: Any) -> OpenVino:
    return OpenVino(**options)
