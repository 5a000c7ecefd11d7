"""What can be wrong with a model folder or an output path, as data: case -> error code. Nothing is left behind."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from cloister import CloisterError
from cloister.export import export
from tests.conftest import MakeModel


def _edit_config(folder: Path, **values: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **values}))


def _without_head(folder: Path) -> None:
    tensors = {k: v for k, v in load_file(folder / "model.safetensors").items() if "classifier" not in k}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def _pickle_only(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _corrupt(folder: Path) -> None:
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[: len(data) // 2])


CASES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "weights_missing"),
    "pickle only": (_pickle_only, "weights_missing"),
    "corrupt weights": (_corrupt, "weights_corrupt"),
    "no config": (lambda f: (f / "config.json").unlink(), "config_missing"),
    "config is no JSON": (lambda f: (f / "config.json").write_text("{"), "config_invalid"),
    "no tokenizer": (lambda f: (f / "tokenizer.json").unlink(), "tokenizer_missing"),
    "broken tokenizer": (lambda f: (f / "tokenizer.json").write_text("{}"), "tokenizer_invalid"),
    "unknown architecture": (lambda f: _edit_config(f, model_type="nothing"), "config_invalid"),
    "head never trained": (_without_head, "head_missing"),
    "too many labels": (lambda f: _edit_config(f, id2label={str(i): f"L{i}" for i in range(9)}), "labels_mismatch"),
    "labels not unique": (lambda f: _edit_config(f, id2label={"0": "x", "1": "x", "2": "y"}), "labels_mismatch"),
    "unknown head": (lambda f: _edit_config(f, architectures=["BertForNothing"]), "task_unknown"),
    "modules.json broken": (lambda f: (f / "modules.json").write_text("["), "config_invalid"),
    "dense module": (
        lambda f: (f / "modules.json").write_text('[{"idx":0,"type":"x.Dense","path":"2_Dense"}]'),
        "architecture_unsupported",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_bad_model_folder_is_refused_and_nothing_is_written(tmp_path: Path, make_model: MakeModel, case: str) -> None:
    damage, code = CASES[case]
    folder = Path(shutil.copytree(make_model("bert", "text-classification"), tmp_path / "model"))
    damage(folder)
    with pytest.raises(CloisterError) as error:
        export(folder, tmp_path / "out")
    assert error.value.code == code
    assert error.value.hint
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model"]


@pytest.mark.parametrize(
    ("source", "task", "code"),
    [
        ("/nowhere/at/all", None, "source_not_found"),
        ("", None, "source_not_found"),
        ("no-such-owner/no-such-model", None, "source_not_found"),
        (None, "image-classification", "task_unsupported"),
    ],
)
def test_bad_arguments(tmp_path: Path, make_model: MakeModel, source: str | None, task: str | None, code: str) -> None:
    with pytest.raises(CloisterError) as error:
        export(make_model("bert", "text-classification") if source is None else source, tmp_path / "out", task=task)
    assert error.value.code == code
    assert not (tmp_path / "out").exists()


def test_output_paths_that_are_taken_are_left_alone(tmp_path: Path, make_model: MakeModel) -> None:
    source = make_model("bert", "text-classification")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine.txt").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    for name, force in (("file", True), ("folder", True), ("link", True), ("missing/out", False)):
        with pytest.raises(CloisterError) as error:
            export(source, tmp_path / name, force=force)
        assert error.value.code in ("output_exists", "storage_failed")
    assert (tmp_path / "folder" / "mine.txt").read_text() == "mine"
    assert (tmp_path / "file").read_text() == "mine"


def test_a_full_disk_leaves_nothing_and_keeps_the_old_bundle(
    tmp_path: Path, make_model: MakeModel, make_bundle: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = Path(shutil.copytree(make_bundle("bert", "text-classification", "fp32"), tmp_path / "out"))
    before = {p.name: p.read_bytes() for p in out.iterdir()}

    def full(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CloisterError) as error:
        export(make_model("bert", "text-classification"), out, precision="fp32", force=True)
    assert error.value.code == "storage_failed"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before


def test_calibration_without_text_is_refused(tmp_path: Path, make_model: MakeModel) -> None:
    with pytest.raises(CloisterError) as error:
        export(make_model("bert", "text-classification"), tmp_path / "out", calibration=["", "  "])
    assert error.value.code == "invalid_input"


def test_weights_that_compute_something_else_are_refused(
    tmp_path: Path, make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gate must refuse when the graph is not the model: here every text's reference is nudged."""
    from cloister.export import parity

    plain = parity.reference
    monkeypatch.setattr(parity, "reference", lambda s, t: [r + np.float32(0.5) * np.abs(r).max() for r in plain(s, t)])
    with pytest.raises(CloisterError) as error:
        export(make_model("bert", "text-classification"), tmp_path / "out", precision="fp32")
    assert error.value.code == "parity_failed"
    assert "limit" in error.value.message
    assert not (tmp_path / "out").exists()


def test_a_layer_that_does_not_fuse_fails_an_architecture_known_to_pack(
    tmp_path: Path, make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cloister.export import trace
    from cloister.export.lower import lower_for_cpu

    monkeypatch.setattr(trace, "lower_for_cpu", lambda model: lower_for_cpu(model) - 1)
    with pytest.raises(CloisterError) as error:
        export(make_model("bert", "text-classification"), tmp_path / "out")
    assert error.value.code == "fusion_incomplete"
    assert "1 of 2" in error.value.message


def test_nothing_to_quantize_is_an_error(
    tmp_path: Path, make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cloister.export import variants

    monkeypatch.setattr(variants, "linears", lambda graph, stack: [])
    with pytest.raises(CloisterError) as error:
        export(make_model("bert", "text-classification"), tmp_path / "out")
    assert error.value.code == "nothing_quantized"
