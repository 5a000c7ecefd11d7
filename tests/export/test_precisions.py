"""Several variants in one bundle: what they share, what each loses; int4's and int8's arithmetic against numpy."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloister import CloisterError
from cloister.export import export, nbits
from cloister.export.scales import quantize_columns
from cloister.runtime import Embedding, load
from cloister.runtime.bundle import read
from cloister.runtime.engine import Options
from tests.conftest import MakeModel

TEXTS = ["Where is my parcel?", "x", "The river rose four metres in six hours. " * 3, "这家餐厅的菜很好吃。"]


def saturating(activations: Any, weights: Any) -> Any:
    """`activations @ weights` as `vpmaddubsw` computes it: each pair of products is cut off at 16 bits, then added up.

    Shape: uint8 `[n, in]`, int8 `[in, out]`, an even `in` -> int64 `[n, out]`.
    """
    products = activations.astype(np.int64)[:, :, None] * weights.astype(np.int64)[None]
    return np.clip(products[:, 0::2] + products[:, 1::2], -(2**15), 2**15 - 1).sum(1)


def plain_columns(weight: Any) -> Any:
    """Symmetric int8 as everyone does it: the largest magnitude of a column becomes 127."""
    scale = np.maximum(np.abs(weight).max(0), 1e-8) / 127
    return np.rint(weight / scale).astype(np.int8)


def test_plain_int8_is_wrong_without_vnni_and_ours_is_right() -> None:
    random = np.random.default_rng(0)
    weight = random.standard_normal((384, 64)).astype(np.float32)
    activations = random.integers(0, 256, (32, 384)).astype(np.uint8)
    plain, (safe, scale) = plain_columns(weight), quantize_columns(weight)
    exact = activations.astype(np.int64) @ plain.astype(np.int64)
    assert (saturating(activations, plain) != exact).mean() > 0.05, "the emulation shows the fault"
    ours = activations.astype(np.int64) @ safe.astype(np.int64)
    assert np.array_equal(saturating(activations, safe), ours)
    # What safety costs: a scale that is a little larger, where 7-bit weights would double it.
    assert scale.mean() < 1.5 * (np.abs(weight).max(0) / 127).mean()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 33), st.integers(1, 9), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 1.0, 30.0]))
def test_no_weights_saturate_whatever_the_activations(rows: int, columns: int, seed: int, spikes: float) -> None:
    random = np.random.default_rng(seed)
    weight = random.standard_normal((rows, columns)).astype(np.float32)
    weight[random.random(weight.shape) < 0.2] *= spikes
    matrix, _ = quantize_columns(weight)
    if rows % 2:
        matrix = np.concatenate([matrix, np.zeros((1, columns), np.int8)])
    # The extremes: 255 wherever the weight has one sign, 0 elsewhere.
    for sign in (1, -1):
        worst = np.where(matrix.T * sign > 0, 255, 0).astype(np.uint8)
        assert np.array_equal(saturating(worst, matrix), worst.astype(np.int64) @ matrix.astype(np.int64))


def weights(bundle: Path, graph: str) -> dict[str, Any]:
    """Initializers of a graph as arrays, external data included."""
    model = onnx.load(bundle / graph)
    return {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory, make_model: MakeModel) -> Path:
    out = tmp_path_factory.mktemp("bundle") / "every"
    model = make_model("bert", "feature-extraction", hidden_size=128, intermediate_size=256)
    export(model, out, precision=["int8", "int4", "fp16", "fp32"])
    return out


def test_exported_weights_do_not_saturate(every: Path) -> None:
    linear = {
        n: a for n, a in weights(every, "encoder.int8.onnx").items() if a.dtype == np.int8 and "embedding" not in n
    }
    assert len(linear) == 8
    for matrix in linear.values():
        for part in (np.maximum(matrix, 0), np.maximum(-matrix.astype(np.int16), 0)):
            assert (part[0::2].astype(int) + part[1::2]).max() <= 128
    assert read(every).manifest.encoder.variants[0].saturation_safe


def test_variants_share_byte_identical_tensors(every: Path) -> None:
    bundle = read(every)
    variants = {v.name: v for v in bundle.manifest.encoder.variants}
    assert list(variants) == ["int8", "int4", "fp16", "fp32"]
    assert set(variants["int8"].shared) & set(variants["int4"].shared), "the int8 embedding table"
    used = {name for v in variants.values() for name in (v.graph, *v.external)}
    assert used == {f.name for f in bundle.manifest.files} - {"tokenizer.json", "golden.json"}
    seen: dict[bytes, tuple[str, str]] = {}
    for name, variant in variants.items():
        for tensor in onnx.load(every / variant.graph, load_external_data=False).graph.initializer:
            if not tensor.external_data:
                continue
            place = {e.key: e.value for e in tensor.external_data}
            blob = bundle.files[place["location"]]
            data = blob[int(place["offset"]) : int(place["offset"]) + int(place["length"])]
            key = bytes([tensor.data_type]) + repr(tuple(tensor.dims)).encode() + data
            where = place["location"], place["offset"]
            assert seen.setdefault(key, where) == where, f"{name}: {tensor.name} is stored twice"


def test_every_variant_answers_close_to_the_float_one(every: Path) -> None:
    def vectors(name: str) -> list[Any]:
        results = load(every, options=Options(variant=name), check=True).predict(TEXTS)
        return [r.vector for r in results if isinstance(r, Embedding)]

    exact = vectors("fp32")
    for name, least in (("int8", 0.99), ("int4", 0.9)):
        for ours, wanted in zip(vectors(name), exact, strict=True):
            assert ours @ wanted / np.linalg.norm(ours) / np.linalg.norm(wanted) > least


def test_int4_gives_the_same_bits_in_any_batch(every: Path) -> None:
    engine = load(every, options=Options(variant="int4"))
    alone = [engine.forward(engine.tokenize([text]))[0] for text in TEXTS]
    for order in ([3, 1, 0, 2], [2, 2, 1, 3, 0]):
        for index, row in zip(order, engine.forward(engine.tokenize([TEXTS[i] for i in order])), strict=True):
            assert np.array_equal(row.view(np.uint32), alone[index].view(np.uint32))


def test_int4_takes_at_most_065_of_int8(every: Path) -> None:
    def linear(graph: str, *endings: str) -> int:
        found = weights(every, graph)
        return sum(a.nbytes for n, a in found.items() if n.endswith(endings) and "embedding" not in n)

    int8, int4 = linear("encoder.int8.onnx", ".int8", ".scale"), linear("encoder.int4.onnx", ".int4", ".scales")
    assert int8 > 0
    assert 0.5 < int4 / int8 <= 0.65


@pytest.mark.parametrize("width", [32, 80, 96])
def test_int4_codes_are_what_the_operator_reads(width: int) -> None:
    """`MatMulNBits` without 8-bit activations against numpy, also where the last block is not full."""
    from cloister.runtime.session import onnxruntime

    random = np.random.default_rng(width)
    weight = random.standard_normal((width, 24)).astype(np.float32)
    rows = random.standard_normal((200, width)).astype(np.float32)
    codes, scales = nbits.round_blocks(weight, rows)
    helper = onnx.helper
    shape: Any = {"K": width, "N": 24, "bits": 4, "block_size": nbits.BLOCK}
    node = helper.make_node("MatMulNBits", ["x", "codes", "scales"], ["y"], domain="com.microsoft", **shape)
    graph = helper.make_graph(
        [node],
        "one",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [None, width])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [None, 24])],
        [
            onnx.numpy_helper.from_array(nbits.packed_codes(codes), "codes"),
            onnx.numpy_helper.from_array(scales, "scales"),
        ],
    )
    imports = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=10)
    session = onnxruntime().InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    got = session.run(None, {"x": rows})[0]
    assert np.allclose(got, rows @ nbits.dequantized(codes, scales, width), atol=1e-3)


def test_rounding_with_calibration_beats_rounding_to_nearest() -> None:
    random = np.random.default_rng(3)
    mixing = random.standard_normal((128, 128)) @ np.diag(np.geomspace(3, 0.05, 128))
    rows = (random.standard_normal((3000, 128)) @ mixing).astype(np.float32)
    weight = random.standard_normal((128, 64)).astype(np.float32)

    def error(fitted: Any) -> float:
        codes, scales = nbits.round_blocks(weight, fitted)
        unseen = rows[2000:]
        return float(np.linalg.norm(unseen @ nbits.dequantized(codes, scales, 128) - unseen @ weight))

    nothing_known = np.eye(128, dtype=np.float32)  # uncorrelated channels: plain rounding, block by block
    assert error(rows[:2000]) < 0.8 * error(nothing_known)


@pytest.mark.parametrize("precision", ["int3", "", "int8,int8", ["fp32", "int5"], []])
def test_unknown_precisions_are_refused(tmp_path: Path, make_model: MakeModel, precision: Any) -> None:
    with pytest.raises(CloisterError) as error:
        export(make_model("bert", "text-classification"), tmp_path / "out", precision=precision)
    assert error.value.code == "invalid_input"
    assert not (tmp_path / "out").exists()
