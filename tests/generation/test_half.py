"""fp16 for CUDA: what the graph is, its twin's figures, and what a machine without a device says."""

import json
from pathlib import Path

import onnx
import pytest
from typer.testing import CliRunner

from cloister import ExportError, ProviderError
from cloister.cli import app
from cloister.export import export, generator
from cloister.runtime import GenerationOptions, Options, load
from cloister.runtime.session import available_providers

needs_cuda = pytest.mark.skipif(
    "cuda" not in available_providers(),
    reason="needs a CUDA device and onnxruntime-genai-cuda: pip install 'cloister[generate-gpu]'",
)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, writer_folder: Path) -> Path:
    out = tmp_path_factory.mktemp("half") / "both"
    export(writer_folder, out, precision="fp16,fp32")
    return out


def test_the_graph_is_float16_with_fused_attention(both: Path) -> None:
    model = onnx.load(both / "generator.fp16.onnx")
    half = onnx.TensorProto.FLOAT16
    cached = [v for v in (*model.graph.input, *model.graph.output) if v.name.startswith(("past_", "present."))]
    assert len(cached) == 8
    assert {v.type.tensor_type.elem_type for v in cached} == {half}
    kinds = [node.op_type for node in model.graph.node]
    assert kinds.count("GroupQueryAttention") == 2
    large = [t for t in model.graph.initializer if len(t.dims) > 1]
    assert {t.data_type for t in large} == {half}
    single = onnx.load(both / "generator.fp32.onnx")
    assert model.ByteSize() < 0.6 * single.ByteSize()


def test_figures_are_those_of_a_twin_and_say_so(both: Path) -> None:
    done = CliRunner().invoke(app, ["inspect", str(both), "--json"], catch_exceptions=False)
    half, single = json.loads(done.stdout)["components"][0]["variants"]
    assert (half["providers"], half["measured_on"]) == (["cuda"], "cpu twin")
    assert (single["providers"], single["measured_on"]) == (["cpu"], "provider")
    assert single["generation"]["kl_mean"] < half["generation"]["kl_mean"] < half["generation"]["limits"]["kl_mean"]


def test_a_machine_without_a_device_takes_the_other_variant_or_says_what_it_needs(
    both: Path, tmp_path: Path, writer_folder: Path
) -> None:
    if "cuda" in available_providers():
        pytest.skip("there is a device")
    engine = load(both)
    assert (engine.variant.name, engine.provider) == ("fp32", "cpu")
    engine.close()
    export(writer_folder, tmp_path / "half", precision="fp16")
    for options in (Options(), Options(provider="cuda"), Options(provider="cpu")):
        with pytest.raises(ProviderError) as raised:
            load(tmp_path / "half", options=options)
        assert "cuda" in f"{raised.value.message} {raised.value.hint}"
    done = CliRunner().invoke(app, ["inspect", str(tmp_path / "half")], catch_exceptions=False)
    assert "does not run on this machine" in done.stdout


def test_a_graph_that_is_not_float16_is_refused(
    writer_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = generator._graph
    monkeypatch.setattr(generator, "_graph", lambda s, precision, provider, name: plain(s, "fp32", "cpu", name))
    with pytest.raises(ExportError) as raised:
        export(writer_folder, tmp_path / "out", precision="fp16")
    assert raised.value.code == "precision_unsupported"
    assert not (tmp_path / "out").exists()


@needs_cuda
def test_it_writes_on_a_device_what_its_twin_says(both: Path) -> None:
    engine = load(both, options=Options(provider="cuda"))  # the golden outputs were checked on the way
    assert engine.variant.name == "fp16"
    single = load(both, options=Options(provider="cpu"))
    prompt, options = "Where is my parcel?", GenerationOptions(max_tokens=8)
    assert engine.generate(prompt, options).text() == single.generate(prompt, options).text()
