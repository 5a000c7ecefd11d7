"""The CUDA graph: its structure, its arithmetic by an independent evaluator, and, where there is a device, the run."""

import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from cloister import DriftError, ProviderError
from cloister.export import export
from cloister.export.attention import DOMAIN
from cloister.export.graph import nodes_of
from cloister.export.lower_cuda import lower_for_cuda
from cloister.export.source import read as read_model
from cloister.export.trace import trace
from cloister.runtime import load
from cloister.runtime.engine import Options
from cloister.runtime.manifest_file import decode, encode
from cloister.runtime.packing import Tokens, pack
from cloister.runtime.session import Session, available_providers
from tests.conftest import MakeModel

needs_cuda = pytest.mark.skipif(
    "cuda" not in available_providers(), reason="needs a CUDA device and onnxruntime-gpu: pip install 'cloister[gpu]'"
)
TASKS = ["text-classification", "token-classification", "feature-extraction"]
MODELS = [("bert", task) for task in TASKS] + [
    ("distilbert", "text-classification"),
    ("electra", "token-classification"),
]
TEXTS = ["Where is my parcel?", "x", "The river rose four metres in six hours, and then it fell."]


@pytest.fixture(scope="module")
def make_both(tmp_path_factory: pytest.TempPathFactory, make_model: MakeModel) -> Any:
    """Bundle with fp16 for CUDA and fp32 for CPU; the same folder for the same arguments."""
    made: dict[tuple[str, str], Path] = {}

    def make(task: str, family: str = "bert") -> Path:
        if (task, family) not in made:
            out = tmp_path_factory.mktemp("bundle") / "both"
            export(make_model(family, task), out, precision="fp16,fp32")
            made[task, family] = out
        return made[task, family]

    return make


class PackedMultiHeadAttention(OpRun):
    """The operator as its schema's documentation describes it, in numpy."""

    op_domain = "com.microsoft"

    def _run(self, *inputs: Any, num_heads: Any = None, scale: Any = None, **_: Any) -> tuple[Any]:
        query, key, value, bias, offset, starts = (*inputs, None, None)[:6]
        assert bias is None
        if key is None:
            query, key, value = (query[:, :, i] for i in range(3))  # [T, heads, size] each
        else:
            query, key, value = (x.reshape(len(x), num_heads, -1) for x in (query, key, value))
        assert starts[-1] == len(query)
        lengths = np.diff(starts)
        batch, longest = offset.shape
        cells = np.concatenate([row * longest + np.arange(n) for row, n in enumerate(lengths)])
        assert np.array_equal(offset.ravel()[: len(query)], cells)
        assert sorted(offset.ravel()) == list(range(batch * longest))
        out = np.zeros(query.shape, np.float32)
        for first, stop in itertools.pairwise(starts):
            q, k, v = (x[first:stop].astype(np.float32).swapaxes(0, 1) for x in (query, key, value))
            scores = q @ k.swapaxes(1, 2) * scale
            weights = np.exp(scores - scores.max(-1, keepdims=True))
            out[first:stop] = (weights / weights.sum(-1, keepdims=True) @ v).swapaxes(0, 1)
        return (out.reshape(len(query), -1).astype(query.dtype),)


@pytest.mark.parametrize(("family", "task"), MODELS)
def test_the_graph_attends_on_packs_and_is_half_precision(make_both: Any, task: str, family: str) -> None:
    bundle = make_both(task, family)
    model = onnx.load(bundle / "encoder.fp16.onnx")
    onnx.checker.check_model(model)
    kinds = [n.op_type for n in model.graph.node]
    assert kinds.count("PackedMultiHeadAttention") == 2
    assert not {"MultiHeadAttention", "MatMulIntegerToFloat"} & set(kinds)
    assert "Shape" not in kinds, "would run on the processor, which the session refuses"
    inputs = {i.name: i.type.tensor_type.elem_type for i in model.graph.input}
    assert inputs["token_offset"] == inputs["cumulative_sequence_length"] == onnx.TensorProto.INT32
    assert not {"unpack", "pack"} & set(inputs)
    types = {t.data_type for t in model.graph.initializer}
    assert onnx.TensorProto.FLOAT16 in types
    assert onnx.TensorProto.FLOAT not in types
    assert model.graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT


@pytest.mark.parametrize(("family", "task"), MODELS)
def test_an_independent_evaluator_gets_the_float_models_outputs(make_both: Any, task: str, family: str) -> None:
    bundle = make_both(task, family)
    wanted = load(bundle, options=Options(variant="fp32"))
    tokens = wanted.tokenize(TEXTS)
    model = onnx.load(bundle / "encoder.fp16.onnx")
    arrays = pack(tokens, wanted.manifest.tokenizer.first_position, offsets=True)
    feeds = {i.name: arrays[i.name] for i in model.graph.input}
    (got,) = ReferenceEvaluator(model, new_ops=[PackedMultiHeadAttention]).run(None, feeds)
    plain = wanted.encoder.session.run(pack(tokens, wanted.manifest.tokenizer.first_position))[0]
    assert np.abs(got - plain).max() < 0.02 * np.abs(plain).max()


def test_offsets_are_those_of_the_operators_documentation() -> None:
    texts = [Tokens(np.arange(n)) for n in (1, 2, 4)]
    arrays = pack(texts, 0, offsets=True)
    assert arrays["token_offset"].tolist() == [[0, 4, 5, 8], [9, 10, 11, 1], [2, 3, 6, 7]]
    assert arrays["cumulative_sequence_length"].tolist() == [0, 1, 3, 7]
    assert "token_offset" not in pack(texts, 0)


def test_attention_that_the_operator_lacks_takes_the_padded_grid(make_model: MakeModel) -> None:
    def lower(model: ir.Model) -> int:
        for node in nodes_of(model.graph, DOMAIN, "PackedAttention"):
            node.attributes["more"] = ir.AttrInt64("more", 1)
        return lower_for_cuda(model)

    traced = trace(read_model(str(make_model("bert", "feature-extraction"))), lower)
    kinds = [node.op_type for node in traced.model.graph]
    assert kinds.count("MultiHeadAttention") == 2
    assert "PackedMultiHeadAttention" not in kinds


def test_parity_is_the_twins_and_says_so(make_both: Any) -> None:
    bundle = make_both("text-classification")
    half, single = decode((bundle / "manifest.json").read_bytes()).encoder.variants
    assert (half.measured_on, single.measured_on) == ("cpu twin", "provider")
    assert half.providers == ["cuda"]
    assert half.parity.cosine_min > 0.999
    assert half.parity.max_abs_error > single.parity.max_abs_error, "rounding to half precision was measured"


@pytest.mark.skipif("cuda" in available_providers(), reason="shows what happens without CUDA")
def test_without_cuda_the_variant_is_passed_over_and_never_replaced_silently(make_both: Any) -> None:
    bundle = make_both("text-classification")
    assert load(bundle).variant.name == "fp32"
    for options in (Options(provider="cuda"), Options(variant="fp16"), Options(variant="fp16", provider="cpu")):
        with pytest.raises(ProviderError):
            load(bundle, options=options)


def test_what_was_measured_on_a_twin_is_checked_before_it_answers(make_both: Any, tmp_path: Path) -> None:
    """The device is played by the processor: a variant that says its golden outputs are a twin's, and that drifted."""
    copy = Path(shutil.copytree(make_both("text-classification"), tmp_path / "copy"))
    manifest = decode((copy / "manifest.json").read_bytes())
    (twin,) = [
        msgspec.structs.replace(v, measured_on="cpu twin", tolerance=1e-12)
        for v in manifest.encoder.variants
        if v.name == "fp32"
    ]
    golden = json.loads((copy / "golden.json").read_text())
    golden["outputs"]["fp32"][0][0] += 1.0
    (copy / "golden.json").write_text(json.dumps(golden))
    for name in {"encoder.fp16.onnx", *manifest.encoder.variants[0].external} - set(twin.external):
        (copy / name).unlink()
    from cloister.runtime.bundle import file_entry

    files = [file_entry(f.name, (copy / f.name).read_bytes()) for f in manifest.files if (copy / f.name).exists()]
    component = msgspec.structs.replace(manifest.encoder, variants=[twin])
    changed = msgspec.structs.replace(manifest, components=[component], files=files)
    (copy / "manifest.json").write_bytes(encode(changed))
    with pytest.raises(DriftError):
        load(copy)


def test_a_bound_run_gives_what_a_plain_run_gives(make_both: Any) -> None:
    engine = load(make_both("feature-extraction"), options=Options(variant="fp32"))
    session: Session = engine.encoder.session
    arrays = engine.encoder.arrays(engine.tokenize(TEXTS))
    feeds = {name: array for name, array in arrays.items() if name in session.inputs}
    (bound,) = session._run_bound(feeds, session.outputs, "cpu")
    assert np.array_equal(bound, session.run(arrays)[0])


@needs_cuda
@pytest.mark.parametrize("task", TASKS)
def test_on_cuda_every_operator_runs_there_and_answers_hold(make_both: Any, task: str) -> None:
    bundle = make_both(task)
    engine = load(bundle, options=Options(provider="cuda"))
    assert engine.provider == "cuda"
    assert {node.provider for node in engine.nodes} == {"cuda"}
    wanted = load(bundle, options=Options(provider="cpu"))
    for ours, theirs in zip(
        engine.forward(engine.tokenize(TEXTS)), wanted.forward(wanted.tokenize(TEXTS)), strict=True
    ):
        assert np.abs(ours - theirs).max() < 0.02 * np.abs(theirs).max()


@needs_cuda
def test_auto_takes_cuda_where_it_is(make_both: Any) -> None:
    assert load(make_both("feature-extraction")).provider == "cuda"
