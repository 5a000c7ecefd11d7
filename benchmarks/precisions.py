"""What does each precision cost and give on MiniLM: size, fidelity, speed; and what do safe int8 sums cost?"""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks import workbench as wb
from benchmarks.fidelity import source_vectors, vectors
from cloister.export import export, nbits, pipeline, scales
from cloister.export import variants as making
from cloister.export.head import HeadOptions, settle
from cloister.export.source import read as read_model
from cloister.export.texts import CALIBRATION
from cloister.runtime import load
from cloister.runtime.bundle import read
from cloister.runtime.engine import Options
from cloister.runtime.heads import unit_length
from cloister.runtime.tokens import TextTokenizer

PRECISIONS = ("int8", "int4", "fp32")


def main() -> None:
    """Print three tables: variants, ways to round int8 weights, block sizes of int4."""
    print(wb.machine())
    out = wb.WORK / "minilm-precisions"
    wb.WORK.mkdir(exist_ok=True)
    export(wb.model_folder(), out, precision=[*PRECISIONS, "fp16"], force=True)
    texts = wb.texts()
    wanted = source_vectors(texts)
    _variants(out, texts, wanted)
    drafts, tokenizer = drafts_of()
    tokens = tokenizer.encode(texts, truncate=True)[0]
    _roundings(drafts, tokens, wanted)
    _blocks(drafts, tokens, wanted)


def _variants(out: Any, texts: list[str], wanted: Any) -> None:
    bundle = read(out)
    sizes = {f.name: f.bytes for f in bundle.manifest.files}
    engines = {name: load(out, options=Options(variant=name)) for name in PRECISIONS}
    linear = {name: _linear_bytes(bundle.files, engines[name].variant) for name in PRECISIONS}
    print(f"\nVariants of one bundle, {bundle.size / 1e6:.1f} MB; cosine with PyTorch fp32, {len(texts)} sentences")
    for variant in bundle.manifest.encoder.variants:
        own = sum(sizes[n] for n in (variant.graph, *variant.external)) / 1e6
        if variant.name not in engines:
            print(f"  {variant.name:<6}{own:>7.1f} MB  on its CPU twin: least cosine {variant.parity.cosine_min:.6f}")
            continue
        cosines = (vectors(engines[variant.name], texts) * wanted).sum(1)
        share = f"linear weights {linear[variant.name] / linear['int8']:.3f} of int8's"
        print(f"  {variant.name:<6}{own:>7.1f} MB  mean {cosines.mean():.5f}  least {cosines.min():.5f}  {share}")
    print("  wanted: int4's linear weights at most 0.65 of int8's")
    traffic = {name: engine.tokenize(wb.traffic(), truncate=True) for name, engine in engines.items()}
    sides: dict[str, Callable[[], object]] = {
        f"Cloister {name}": lambda name=name: engines[name].forward(traffic[name])  # type: ignore[misc]
        for name in PRECISIONS
    }
    wb.report("64 texts of mixed length", wb.interleaved(sides, rounds=9), against="Cloister int8")
    one = {name: engine.tokenize(["word " * 13]) for name, engine in engines.items()}
    sides = {
        f"Cloister {name}": lambda name=name: engines[name].forward(one[name])  # type: ignore[misc]
        for name in PRECISIONS
    }
    wb.report("one text of 16 tokens", wb.interleaved(sides, rounds=60), against="Cloister int8")


def _linear_bytes(files: Any, variant: Any) -> int:
    """Bytes of the linear layers' weights and scales."""
    import onnx

    graph = onnx.load_from_string(files[variant.graph]).graph
    initializers = {t.name: t for t in graph.initializer}
    names = {
        name
        for node in graph.node
        if node.op_type in ("MatMulIntegerToFloat", "MatMulNBits", "MatMul")
        for name in node.input[1:4]
        if name in initializers
    }
    return sum(_bytes(initializers[name]) for name in names)


def _bytes(tensor: Any) -> int:
    import onnx

    return int(np.prod(tensor.dims)) * int(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize)


def drafts_of() -> tuple[making.Drafts, TextTokenizer]:
    """What makes variants of MiniLM, calibrated with the built-in texts, and its tokenizer."""
    source = read_model(str(wb.model_folder()))
    settings = pipeline.provisional(source, settle(HeadOptions(), source), "built-in")
    tokenizer = TextTokenizer(source.tokenizer_json.encode(), settings.tokenizer)
    calibration = tokenizer.encode(list(CALIBRATION), truncate=True)[0]
    return making.Drafts(source, calibration, settings.tokenizer.padding_id), tokenizer


def _fidelity(drafts: making.Drafts, tokens: Any, wanted: Any, precision: Any) -> str:
    draft = drafts.draft(precision, drafts.plan(precision))
    got = np.array([unit_length(row) for row in drafts.encoder(draft).forward(tokens)])
    cosines = (got * wanted).sum(1)
    return f"mean {cosines.mean():.5f}  least {cosines.min():.5f}"


def _roundings(drafts: making.Drafts, tokens: Any, wanted: Any) -> None:
    print("\nint8 weights, and whether sums of their products can saturate on x86 without VNNI")

    def scaled(largest: int) -> Callable[[Any], Any]:
        def columns(weight: Any) -> Any:
            scale = np.maximum(np.abs(weight).max(0), scales.TINY).astype(np.float32) / np.float32(largest)
            return np.rint(weight / scale).astype(np.int8), scale

        return columns

    ways = {
        "8 bits, saturates": scaled(127),
        "pairs bounded (Cloister)": scales.quantize_columns,
        "7 bits": scaled(64),
    }
    for name, way in ways.items():
        with patch.object(scales, "quantize_columns", way):
            print(f"  {name:<26}{_fidelity(drafts, tokens, wanted, 'int8')}")


def _blocks(drafts: making.Drafts, tokens: Any, wanted: Any) -> None:
    print("\nint4 by block size (share of int8's linear weights)")
    for block in (16, 32, 64, 128):
        drafts.forget()
        with patch.object(nbits, "BLOCK", block):
            print(f"  {block:>4} ({0.5 + 4 / block:.3f})  {_fidelity(drafts, tokens, wanted, 'int4')}")


if __name__ == "__main__":
    main()
