"""Which variant runs where, as data; and what happens where the first does not start or does not hold."""

import json
import shutil
from pathlib import Path

import msgspec
import pytest

from cloister import CloisterError, DriftError, ProviderError
from cloister.runtime import load
from cloister.runtime import session as sessions
from cloister.runtime.engine import Options
from cloister.runtime.loading import check_golden
from cloister.runtime.manifest import Variant
from cloister.runtime.measured import Parity
from cloister.runtime.selection import Machine, select
from cloister.runtime.session import Node, check_assignment
from tests.conftest import MakeModel

VNNI = Machine(frozenset({"avx2", "avx512_vnni"}), ["cpu"], x86=True)
OLD = Machine(frozenset({"avx2"}), ["cpu"], x86=True)
ARM = Machine(frozenset({"asimd"}), ["cpu"], x86=False)
GPU = Machine(frozenset({"avx2", "avx_vnni"}), ["cuda", "cpu"], x86=True)
UNKNOWN = Machine(frozenset(), ["cpu"], x86=True)


def variant(name: str, *, provider: str = "cpu", safe: bool | None = None, needs: str = "") -> Variant:
    precision = name.split("-")[0]
    return Variant(
        name=name,
        precision=precision,  # type: ignore[arg-type]
        path="packed",
        path_reason="",
        graph="g",
        weights="w",
        providers=[provider],
        cpu_features=[needs] if needs else [],
        saturation_safe=safe,
        quantized_nodes=0,
        float_nodes=0,
        parity=Parity(samples=1, cosine_min=1, cosine_mean=1, max_abs_error=0),
        tolerance=1.0,
    )


PLAIN, SAFE, FP32, INT4 = variant("int8"), variant("int8-safe", safe=True), variant("fp32"), variant("int4")
FP16 = variant("fp16", provider="cuda")
AMX = variant("int8-amx", safe=True, needs="amx_int8")

CASES = [
    ([PLAIN, FP32], "auto", VNNI, ["int8", "fp32"], False),
    ([PLAIN, SAFE], "auto", VNNI, ["int8", "int8-safe"], False),
    ([PLAIN, SAFE], "auto", OLD, ["int8-safe", "int8"], False),
    ([PLAIN, FP32], "cpu", OLD, ["fp32", "int8"], False),
    ([PLAIN], "cpu", OLD, ["int8"], True),
    ([PLAIN], "cpu", UNKNOWN, ["int8"], True),
    ([PLAIN], "cpu", ARM, ["int8"], False),
    ([SAFE], "cpu", OLD, ["int8-safe"], False),
    ([INT4, FP32], "auto", OLD, ["int4", "fp32"], False),
    ([SAFE, FP16], "auto", VNNI, ["int8-safe"], False),
    ([SAFE, FP16], "auto", GPU, ["fp16", "int8-safe"], False),
    ([SAFE, FP16], "cuda", GPU, ["fp16"], False),
    ([SAFE, FP16], "cpu", GPU, ["int8-safe"], False),
    ([AMX, SAFE], "cpu", VNNI, ["int8-safe"], False),
]


@pytest.mark.parametrize(("variants", "provider", "machine", "order", "widened"), CASES)
def test_the_best_variant_comes_first(
    variants: list[Variant], provider: str, machine: Machine, order: list[str], widened: bool
) -> None:
    found = select(variants, provider, None, machine)
    assert [s.variant.name for s in found] == order
    assert found[0].exact_sums is widened
    assert all(s.reason for s in found)


@pytest.mark.parametrize(
    ("variants", "provider", "name", "code"),
    [
        ([SAFE], "cuda", None, "provider_unavailable"),
        ([FP16], "cpu", None, "provider_unavailable"),
        ([FP16], "auto", None, "provider_unavailable"),
        ([SAFE], "auto", "fp16", "provider_unavailable"),
        ([AMX], "auto", None, "provider_unavailable"),
        ([SAFE], "tpu", None, "invalid_input"),
    ],
)
def test_what_cannot_run_is_refused(variants: list[Variant], provider: str, name: str | None, code: str) -> None:
    with pytest.raises(CloisterError) as error:
        select(variants, provider, name, VNNI)
    assert error.value.code == code


def test_a_name_is_final() -> None:
    assert [s.variant.name for s in select([SAFE, FP32], "auto", "fp32", VNNI)] == ["fp32"]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, make_model: MakeModel) -> Path:
    from cloister.export import export

    out = tmp_path_factory.mktemp("bundle") / "two"
    export(make_model("bert", "text-classification"), out, precision="int8,fp32")
    return out


def drifted(bundle: Path, folder: Path, *names: str) -> Path:
    """A copy whose golden outputs for some variants are those of another machine."""
    copy = Path(shutil.copytree(bundle, folder / "copy"))
    golden = json.loads((copy / "golden.json").read_text())
    for name in names:
        golden["outputs"][name] = [[v + 1e3 for v in row] for row in golden["outputs"][name]]
    data = json.dumps(golden).encode()
    (copy / "golden.json").write_bytes(data)
    from cloister.runtime.bundle import file_entry
    from cloister.runtime.manifest_file import decode, encode

    manifest = decode((copy / "manifest.json").read_bytes())
    files = [file_entry("golden.json", data) if f.name == "golden.json" else f for f in manifest.files]
    (copy / "manifest.json").write_bytes(encode(msgspec.structs.replace(manifest, files=files)))
    return copy


def test_a_check_that_fails_takes_the_float_variant_and_says_so(two: Path, tmp_path: Path) -> None:
    copy = drifted(two, tmp_path, "int8")
    assert load(copy).variant.name == "int8"
    engine = load(copy, check=True)
    assert engine.variant.name == "fp32"
    assert "int8 does not hold on this machine" in engine.selection
    assert {node.provider for node in engine.nodes} == {"cpu"}
    result, checked = check_golden(copy, Options())
    assert result.holds
    assert checked.variant.name == "fp32"
    with pytest.raises(DriftError):
        load(copy, options=Options(variant="int8"), check=True)


def test_nothing_that_holds_is_refused(two: Path, tmp_path: Path) -> None:
    with pytest.raises(DriftError):
        load(drifted(two, tmp_path, "int8", "fp32"), check=True)


def test_only_what_runs_is_held_in_memory(two: Path) -> None:
    from cloister.runtime.bundle import read

    every = read(two)
    some = read(two, keep=lambda manifest: {manifest.golden})
    assert set(some.files) == {"golden.json"}
    assert some.digest == every.digest
    assert some.size == every.size == sum(p.stat().st_size for p in two.iterdir())


def test_a_variant_nobody_runs_is_verified_all_the_same(two: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(two, tmp_path / "copy"))
    path = copy / "encoder.fp32.weights"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(CloisterError) as error:
        load(copy, options=Options(variant="int8"))
    assert error.value.code == "bundle_hash_mismatch"


ELSEWHERE = (Node("a", "MatMul", "cuda"), Node("b", "Gather", "cpu"))


def test_operators_on_another_provider_are_refused_or_warned_of() -> None:
    theirs = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    with pytest.raises(ProviderError, match="1 of 2 operators do not run on cuda: Gather"):
        check_assignment("cuda", theirs, ELSEWHERE, "refuse")
    with pytest.warns(RuntimeWarning, match="do not run on cuda: Gather"):
        check_assignment("cuda", theirs, ELSEWHERE, "warn")
    check_assignment("cuda", theirs, ELSEWHERE[:1], "refuse")


def test_a_provider_that_silently_did_not_start_is_an_error() -> None:
    with pytest.raises(ProviderError, match="cuda did not start"):
        check_assignment("cuda", ["CPUExecutionProvider"], (), "warn")


def test_signed_weights_that_may_saturate_are_widened(monkeypatch: pytest.MonkeyPatch, two: Path) -> None:
    """The option is onnxruntime's and acts only where products saturate; here it is passed on, and changes nothing."""
    from cloister.runtime import loading, selection

    entries: list[tuple[str, str]] = []
    options = sessions.onnxruntime().SessionOptions
    plain = options.add_session_config_entry

    def recorded(self: object, key: str, value: str) -> None:
        entries.append((key, value))
        plain(self, key, value)

    monkeypatch.setattr(options, "add_session_config_entry", recorded)
    wanted = load(two).predict(["Where is my parcel?"])
    assert ("session.x64quantprecision", "1") not in entries
    monkeypatch.setattr(selection, "_may_saturate", lambda variant: True)
    monkeypatch.setattr(loading, "this_machine", lambda: OLD)
    slow = load(two, options=Options(variant="int8"))
    assert ("session.x64quantprecision", "1") in entries
    assert "widened" in slow.selection
    assert slow.predict(["Where is my parcel?"]) == wanted
