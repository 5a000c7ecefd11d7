"""What can be wrong with a bundle, as data: case -> error code. Nothing of it is loaded."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloister import CloisterError
from cloister.runtime import Options, load
from cloister.runtime.bundle import read


def _manifest(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    edit(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def _flip(name: str) -> Callable[[Path], None]:
    def flip(folder: Path) -> None:
        data = bytearray((folder / name).read_bytes())
        data[len(data) // 2] ^= 1
        (folder / name).write_bytes(bytes(data))

    return flip


def _link(folder: Path) -> None:
    (folder / "encoder.onnx").rename(folder.parent / "elsewhere.onnx")
    (folder / "encoder.onnx").symlink_to(folder.parent / "elsewhere.onnx")


def _pipe(folder: Path) -> None:
    (folder / "encoder.onnx").unlink()
    os.mkfifo(folder / "encoder.onnx")


def _renamed(name: str) -> Callable[[Path], None]:
    def rename(manifest: dict[str, Any]) -> None:
        manifest["golden"] = name
        next(f for f in manifest["files"] if f["name"] == "golden.json")["name"] = name

    return lambda folder: _manifest(folder, rename)


def _set(*path: Any, value: object) -> Callable[[Path], None]:
    def edit(manifest: dict[str, Any]) -> None:
        target: Any = manifest
        for key in path[:-1]:
            target = target[key]
        target[path[-1]] = value

    return lambda folder: _manifest(folder, edit)


def _labels(folder: Path) -> None:
    _manifest(folder, lambda m: m["labels"].append("one too many"))


CASES: dict[str, tuple[Callable[[Path], object], str]] = {
    **{f"flipped byte in {n}": (_flip(n), "bundle_hash_mismatch") for n in ("encoder.onnx", "encoder.weights")},
    "flipped byte in tokenizer": (_flip("tokenizer.json"), "bundle_hash_mismatch"),
    "flipped byte in golden": (_flip("golden.json"), "bundle_hash_mismatch"),
    "missing file": (lambda f: (f / "encoder.weights").unlink(), "bundle_files_mismatch"),
    "extra file": (lambda f: (f / "notes.txt").write_text("x"), "bundle_files_mismatch"),
    "hidden extra file": (lambda f: (f / ".hidden").write_text("x"), "bundle_files_mismatch"),
    "extra folder": (lambda f: (f / "more").mkdir(), "bundle_files_mismatch"),
    "link": (_link, "bundle_files_mismatch"),
    "pipe": (_pipe, "bundle_files_mismatch"),
    "longer file": (lambda f: (f / "golden.json").open("ab").write(b" "), "bundle_hash_mismatch"),
    "no manifest": (lambda f: (f / "manifest.json").unlink(), "bundle_not_found"),
    "manifest is no JSON": (lambda f: (f / "manifest.json").write_bytes(b'{"format_version": 1'), "bundle_invalid"),
    "manifest is no UTF-8": (
        lambda f: (f / "manifest.json").write_bytes(b'{"format_version": "\xff"}'),
        "bundle_invalid",
    ),
    "deep nesting": (lambda f: (f / "manifest.json").write_text("[" * 100_000), "bundle_invalid"),
    "NaN": (lambda f: (f / "manifest.json").write_text('{"format_version": NaN}'), "bundle_invalid"),
    "newer format": (_set("format_version", value=2), "bundle_format_unknown"),
    "format of a wrong type": (_set("format_version", value="1"), "bundle_invalid"),
    "unknown component": (_set("components", 0, "kind", value="oracle"), "bundle_format_unknown"),
    "unknown field": (_set("surprise", value=1), "bundle_invalid"),
    "wrong type": (_set("labels", value="positive"), "bundle_invalid"),
    "unknown task": (_set("task", value="telepathy"), "bundle_invalid"),
    "thresholds of a single-label model": (_set("thresholds", value=[0.5, 0.5, 0.5]), "bundle_invalid"),
    "an activation for a classifier": (_set("activation", value="sigmoid"), "bundle_invalid"),
    "a mask for a classifier": (_set("tokenizer", "mask_id", value=4), "bundle_invalid"),
    "a hypothesis for a classifier": (
        _set("zero_shot", value={"template": "{}", "entailment": 0, "contradiction": None}),
        "bundle_invalid",
    ),
    "zero-shot without a hypothesis": (_set("task", value="zero-shot-classification"), "bundle_invalid"),
    "fill-mask without a mask": (_set("task", value="fill-mask"), "bundle_invalid"),
    "negative window": (_set("tokenizer", "window", value=-1), "bundle_invalid"),
    "no variant": (_set("components", 0, "variants", value=[]), "bundle_invalid"),
    "processor without a needed feature": (
        _set("components", 0, "variants", 0, "cpu_features", value=["no_such_feature"]),
        "provider_unavailable",
    ),
    "labels do not match the head": (_labels, "labels_mismatch"),
    **{
        f"file name {name!r}": (_renamed(name), "bundle_invalid")
        for name in (
            "../golden.json",
            "/etc/passwd",
            "a/b",
            "a\\b",
            ".golden",
            "con.json",
            "C:golden",
            "",
            "x\n",
            "manifest.json",
        )
    },
}


@pytest.mark.parametrize("case", CASES)
def test_a_bad_bundle_is_refused(bundle_copy: Path, case: str) -> None:
    damage, code = CASES[case]
    damage(bundle_copy)
    with pytest.raises(CloisterError) as error:
        load(bundle_copy)
    assert error.value.code == code
    assert error.value.hint
    assert "\n" not in error.value.message


def test_the_digest_names_the_bundle(bundle_copy: Path) -> None:
    digest = hashlib.sha256((bundle_copy / "manifest.json").read_bytes()).hexdigest()
    assert load(bundle_copy, expected_digest=digest).digest == digest
    with pytest.raises(CloisterError) as error:
        read(bundle_copy, expected_digest="0" * 64)
    assert error.value.code == "bundle_digest_mismatch"


def test_other_processors_that_compute_something_else_are_noticed(bundle_copy: Path) -> None:
    load(bundle_copy, check=True)
    golden = json.loads((bundle_copy / "golden.json").read_text())
    golden["outputs"]["fp32"][3][1] += 0.5
    data = json.dumps(golden).encode()
    (bundle_copy / "golden.json").write_bytes(data)

    def edit(manifest: dict[str, Any]) -> None:
        entry = next(f for f in manifest["files"] if f["name"] == "golden.json")
        entry.update(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())

    _manifest(bundle_copy, edit)
    load(bundle_copy)
    with pytest.raises(CloisterError) as error:
        load(bundle_copy, check=True)
    assert error.value.code == "drift"


def test_options_that_do_not_fit(bundle_copy: Path) -> None:
    for options, code in (
        (Options(provider="cuda"), "provider_unavailable"),
        (Options(variant="int3"), "provider_unavailable"),
        (Options(threads=0), "invalid_input"),
    ):
        with pytest.raises(CloisterError) as error:
            load(bundle_copy, options=options)
        assert error.value.code == code


def test_weights_come_from_memory(bundle_copy: Path) -> None:
    engine = load(bundle_copy)
    before = engine.predict(["the same text"])
    for path in bundle_copy.iterdir():
        path.unlink()
    assert engine.predict(["the same text"]) == before
