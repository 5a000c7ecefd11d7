"""Every kind of bad input to a model that writes: a clear error of the one tree, nothing half-written, no hang."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoConfig, AutoTokenizer
from typer.testing import CliRunner

from cloister import CloisterError, ExportError, InputTooLong, InvalidInput
from cloister.cli import app
from cloister.export import export
from cloister.runtime import Constraint, GenerationOptions, Message, load
from cloister.runtime.generate import GeneratorEngine
from tests.generation.test_decoder import save


@pytest.fixture(scope="module")
def engine(writer: Path) -> Any:
    found = load(writer)
    assert isinstance(found, GeneratorEngine)
    yield found
    found.close()


def refused(error: CloisterError, secret: str = "") -> None:
    assert error.message
    assert error.hint
    if secret:
        assert secret not in f"{error} {error.message} {error.hint} {error!r}"


WRONG: list[dict[str, Any]] = [
    {"temperature": "hot"},
    {"temperature": math.nan},
    {"temperature": math.inf},
    {"temperature": True},
    {"top_k": 1.5},
    {"top_k": "many"},
    {"top_p": math.nan},
    {"top_p": 1.01},
    {"min_p": -0.1},
    {"min_p": "x"},
    {"repetition_penalty": 0},
    {"repetition_penalty": math.nan},
    {"frequency_penalty": 3},
    {"presence_penalty": None},
    {"seed": 1.0},
    {"seed": 1 << 64},
    {"max_tokens": 0},
    {"max_tokens": 2.5},
    {"logprobs": 21},
    {"logprobs": "all"},
    {"stop": "END"},
    {"stop": ("",)},
    {"stop": (7,)},
    {"stop": ("a",) * 17},
    {"stop": ("\ud800",)},
    {"num_beams": 4},
    {"source": "en"},
    {"constraint": "json"},
]


@pytest.mark.parametrize("options", WRONG, ids=lambda o: "-".join(f"{k}={v!r}" for k, v in o.items())[:40])
def test_sampling_parameters(engine: GeneratorEngine, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as raised:
        engine.generate("Hello", GenerationOptions(**options))
    refused(raised.value)


def test_an_unknown_sampling_parameter(writer: Path) -> None:
    with pytest.raises(TypeError, match="mirostat"):
        GenerationOptions(mirostat=2)  # type: ignore[call-arg]
    done = CliRunner().invoke(app, ["generate", str(writer), "Hello", "--mirostat", "2"])
    assert done.exit_code == 2
    done = CliRunner().invoke(app, ["generate", str(writer)], input='{"prompt": "Hello", "mirostat": 2}\n')
    assert done.exit_code == 1
    assert json.loads(done.stdout)["error"]["code"] == "invalid_input"


CONSTRAINTS = [
    Constraint(),
    Constraint(regex="a", choices=("b",)),
    Constraint(regex="a", json_schema={}),
    Constraint(regex="("),
    Constraint(regex="(?=a)b"),
    Constraint(choices=()),
    Constraint(choices=("",)),
    Constraint(choices=(1,)),  # type: ignore[arg-type]
    Constraint(json_schema={"type": "wizard"}),
    Constraint(json_schema={"enum": []}),
    Constraint(json_schema={"allOf": [{"type": "string"}, {"type": "number"}]}),
    Constraint(json_schema={"type": "string", "minLength": 5, "maxLength": 2}),
    Constraint(json_schema={"type": "integer", "minimum": 5, "maximum": 2}),
    Constraint(json_schema={"type": "object", "properties": {"a": {"enum": []}}, "required": ["a"]}),
    Constraint(json_schema={"$ref": "https://example.org/schema"}),
    Constraint(json_schema={"$ref": "#/nowhere"}),
    Constraint(json_schema={"const": object()}),
    Constraint(json_schema=[1]),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("constraint", CONSTRAINTS, ids=range(len(CONSTRAINTS)))
def test_constraints_that_contradict_or_cannot_be_fulfilled(engine: GeneratorEngine, constraint: Constraint) -> None:
    with pytest.raises(InvalidInput) as raised:
        engine.generate("Hello", GenerationOptions(constraint=constraint, max_tokens=40)).text()
    refused(raised.value)


def test_a_prompt_over_the_context(engine: GeneratorEngine, writer: Path) -> None:
    secret = "canary"
    for prompt in (f"{secret} " * 200, [Message("user", f"{secret} " * 200)]):
        with pytest.raises(InputTooLong) as raised:
            engine.generate(prompt)
        refused(raised.value, secret)
        assert "128" in raised.value.message
    with pytest.raises(InputTooLong):
        engine.predict(["word " * 200], labels=["a", "b"])
    done = CliRunner().invoke(app, ["generate", str(writer), f"{secret} " * 200])
    assert isinstance(done.exception, InputTooLong)


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "\ud800",
        7,
        [],
        ["text"],
        [Message("wizard", "Hello")],  # type: ignore[arg-type]
        [Message("user", 7)],  # type: ignore[arg-type]
        [Message("user", "\ud800")],
        None,
    ],
    ids=repr,
)
def test_prompts_and_roles(engine: GeneratorEngine, prompt: Any) -> None:
    with pytest.raises(InvalidInput) as raised:
        engine.generate(prompt)
    refused(raised.value)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory, writer_folder: Path) -> Path:
    """A bundle without a chat template."""
    folder = tmp_path_factory.mktemp("bare")
    save(folder / "model", "llama")
    words: Any = AutoTokenizer.from_pretrained(folder / "model")
    words.chat_template = None
    (folder / "model" / "chat_template.jinja").unlink(missing_ok=True)
    words.save_pretrained(folder / "model")
    export(folder / "model", folder / "bundle", precision="int8")
    return folder / "bundle"


def test_a_missing_chat_template(bare: Path) -> None:
    found = load(bare)
    for ask in (found.generate, found.render, found.count_tokens):
        with pytest.raises(InvalidInput) as raised:
            ask([Message("user", "Hello")])
        assert raised.value.code == "chat_template_missing"
    assert found.generate("Hello", GenerationOptions(max_tokens=2)).text() is not None
    (answer,) = found.predict(["Hello"], labels=["a", "b"])  # asked as a text
    assert answer.label in ("a", "b")  # type: ignore[union-attr]
    found.close()


def other_end(words: Any, config: Any) -> None:
    words.eos_token = "<mask>"


def no_end(words: Any, config: Any) -> None:
    words.eos_token = None
    config.eos_token_id = None


def end_outside(words: Any, config: Any) -> None:
    config.eos_token_id = 5000
    words.eos_token = None


def more_tokens(words: Any, config: Any) -> None:
    words.add_tokens([f"<extra_{i}>" for i in range(200)])


@pytest.mark.parametrize("change", [other_end, no_end, end_outside, more_tokens])
def test_a_tokenizer_of_another_model(tmp_path: Path, change: Callable[[Any, Any], None]) -> None:
    folder = save(tmp_path / "model", "llama")
    words: Any = AutoTokenizer.from_pretrained(folder)
    config: Any = AutoConfig.from_pretrained(folder)
    change(words, config)
    words.save_pretrained(folder)
    config.save_pretrained(folder)
    (folder / "generation_config.json").unlink()
    before = sorted(p.name for p in tmp_path.iterdir())
    with pytest.raises(ExportError) as raised:
        export(folder, tmp_path / "out")
    assert raised.value.code == "tokenizer_mismatch"
    refused(raised.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_a_folder_that_is_no_model(tmp_path: Path) -> None:
    for source, code in ((tmp_path / "nowhere", "source_not_found"), (tmp_path, "config_missing")):
        with pytest.raises(ExportError) as raised:
            export(source, tmp_path / "out")
        assert raised.value.code == code
    with pytest.raises(ExportError) as raised:
        export(tmp_path, tmp_path / "out", task="text-generation")
    refused(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_precisions_and_options_that_a_decoder_does_not_have(tmp_path: Path, writer_folder: Path) -> None:
    for more in ({"precision": "int3"}, {"precision": "int4,int4"}, {"calibration": ["a text"]}):
        arguments: Any = more
        with pytest.raises(InvalidInput):
            export(writer_folder, tmp_path / "out", **arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_hub_id_is_told_by_its_config(tmp_path: Path, writer_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the cache, without a network."""
    import shutil

    from huggingface_hub import constants

    cache = tmp_path / "hub" / "models--acme--writer"
    revision = "a" * 40
    shutil.copytree(writer_folder, cache / "snapshots" / revision)
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text(revision)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    report = export("acme/writer", tmp_path / "bundle", precision="int8")
    assert (report.task, report.precision) == ("text-generation", "int8")
    found = load(tmp_path / "bundle")
    assert found.manifest.source.name == "acme/writer"
    found.close()
    with pytest.raises(ExportError) as raised:
        export("acme/reader", tmp_path / "other")
    assert raised.value.code == "source_not_found"


def test_drift_is_refused_by_each_limit(tmp_path: Path, writer_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cloister import DriftError
    from cloister.export import divergence
    from cloister.runtime.measured import GenerationLimits

    for limits, word in (
        (GenerationLimits(kl_mean=1e-12, top1_agreement=0, perplexity_change=9), "divergence"),
        (GenerationLimits(kl_mean=9, top1_agreement=1, perplexity_change=9), "most probable token"),
        (GenerationLimits(kl_mean=9, top1_agreement=0, perplexity_change=-0.9), "perplexity"),
    ):
        monkeypatch.setitem(divergence.LIMITS, "int4", limits)
        with pytest.raises(DriftError) as raised:
            export(writer_folder, tmp_path / "out", precision="int4")
        assert word in raised.value.message
    assert list(tmp_path.iterdir()) == []
