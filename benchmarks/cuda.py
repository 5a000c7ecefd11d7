"""On CUDA: packed fp16 against PyTorch fp16 with SDPA and against padded ONNX Runtime fp16, mixed traffic, one run.

Needs a CUDA device, `onnxruntime-gpu` (`pip install 'cloister[gpu]'`) and a CUDA build of torch; without them it says
what is missing and measures nothing.
"""

from collections.abc import Callable
from typing import Any

import torch

from benchmarks import workbench as wb
from cloister.export import export
from cloister.runtime import load
from cloister.runtime.engine import Options
from cloister.runtime.session import available_providers, onnxruntime


def missing() -> list[str]:
    """What this machine lacks, in words."""
    needs = {
        "onnxruntime with the CUDA provider (pip install 'cloister[gpu]')": "cuda" in available_providers(),
        "a CUDA device that torch sees, and a CUDA build of torch": torch.cuda.is_available(),
    }
    return [what for what, there in needs.items() if not there]


def main() -> None:
    """Print the times, or what is missing."""
    lacking = missing()
    if lacking:
        print("Not measured. Missing: " + "; ".join(lacking))
        return
    out = wb.WORK / "minilm-cuda"
    wb.WORK.mkdir(exist_ok=True)
    export(wb.model_folder(), out, precision="fp16", force=True)
    engine = load(out, options=Options(provider="cuda"))
    tokens = engine.tokenize(wb.traffic())
    batches = wb.sorted_batches(tokens)
    print(f"{wb.machine()}, {torch.cuda.get_device_name()}; {engine.selection}")
    print(f"operators: {len(engine.nodes)}, all on {', '.join({node.provider for node in engine.nodes})}")
    sides: dict[str, Callable[[], object]] = {
        "Cloister fp16, packed": lambda: engine.forward(tokens),
        "PyTorch fp16, SDPA, sorted batches of 32": _torch_side(batches),
        "ONNX Runtime CUDA fp16, sorted batches of 32": _plain_side(batches),
    }
    times = wb.interleaved(sides, rounds=30, warm_up=5)
    wb.report("64 texts of mixed length", times, against="Cloister fp16, packed")
    print("  wanted: at least 1.5 for the better of the other two")


def _torch_side(batches: list[dict[str, Any]]) -> Callable[[], object]:
    from transformers import AutoModel

    model = AutoModel.from_pretrained(wb.model_folder(), dtype=torch.float16, attn_implementation="sdpa").cuda().eval()

    def run() -> None:
        with torch.inference_mode():
            for batch in batches:
                inputs = {name: torch.from_numpy(array).cuda() for name, array in batch.items()}
                model(**inputs).last_hidden_state.cpu()

    return run


def _plain_side(batches: list[dict[str, Any]]) -> Callable[[], object]:
    import onnx_ir as ir

    from cloister.export.half import to_half

    wb.plain(int8=False, threads=1)  # makes the float graph of transformers' exporter
    model = ir.load(wb.WORK / "plain.onnx")
    to_half(model)
    options = onnxruntime().SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime().InferenceSession(
        ir.to_proto(model).SerializeToString(), options, providers=["CUDAExecutionProvider"]
    )
    return lambda: [session.run(["last_hidden_state"], batch) for batch in batches]


if __name__ == "__main__":
    main()
