"""Weights that do not fit into one ONNX file: beside the graph, verified, then opened by their path."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cloister import BundleError, CloisterError
from cloister.cli import app
from cloister.export import export, generator
from cloister.privacy import keygen
from cloister.privacy.age import parse_recipients
from cloister.privacy.keyfiles import read_secret_key
from cloister.privacy.seal import Contents, Label, seal
from cloister.privacy.unseal import Unseal
from cloister.runtime import GenerationOptions, load
from cloister.runtime.bundle import read
from cloister.runtime.decoding import open_decoder

PROMPT = "Where is my parcel?"


def text(bundle: Path) -> str:
    engine = load(bundle, check=True)
    try:
        return engine.generate(PROMPT, GenerationOptions(max_tokens=12)).text()
    finally:
        engine.close()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory, writer_folder: Path) -> Path:
    """As if the limit were one kilobyte."""
    out = tmp_path_factory.mktemp("large") / "bundle"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generator, "LARGEST", 1024)
        export(writer_folder, out, precision="fp32,int4")
    return out


def test_weights_lie_beside_the_graph_and_the_text_is_the_same(large: Path, writer: Path) -> None:
    names = {p.name for p in large.iterdir()}
    assert {f"generator.{p}.{kind}" for p in ("fp32", "int4") for kind in ("onnx", "weights")} <= names
    assert (large / "generator.fp32.onnx").stat().st_size < (large / "generator.fp32.weights").stat().st_size
    assert text(large) == text(writer)
    done = CliRunner().invoke(app, ["check", str(large)], catch_exceptions=False)
    assert done.exit_code == 0


def test_neither_graph_nor_weights_are_held(large: Path) -> None:
    from cloister.runtime.loading import _needed

    found = read(large, keep=lambda manifest: _needed(manifest, manifest.encoder.variants[0]))
    assert not any(name.startswith("generator") for name in found.files)
    assert {"generator.fp32.onnx", "generator.fp32.weights"} <= found.stamps.keys()


@pytest.mark.parametrize("name", ["generator.fp32.weights", "generator.fp32.onnx", "generator.int4.weights"])
def test_a_flipped_bit_is_refused(large: Path, tmp_path: Path, name: str) -> None:
    copy = Path(shutil.copytree(large, tmp_path / "copy"))
    data = bytearray((copy / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / name).write_bytes(data)
    with pytest.raises(BundleError) as raised:
        load(copy)
    assert raised.value.code == "bundle_hash_mismatch"


@pytest.mark.parametrize("how", ["written", "replaced", "the folder", "a link"])
@pytest.mark.parametrize("when", ["before", "while"])
def test_what_changes_after_it_was_verified_is_refused(
    large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, when: str
) -> None:
    copy = Path(shutil.copytree(large, tmp_path / "copy"))
    weights = copy / "generator.fp32.weights"

    def change() -> None:
        if how == "written":
            status = weights.stat()
            with weights.open("r+b") as file:
                file.write(b"\x00")
            os.utime(weights, ns=(status.st_atime_ns, status.st_mtime_ns))  # as who hides it would
        elif how == "replaced":
            shutil.copy2(weights, tmp_path / "other")
            (tmp_path / "other").rename(weights)
        elif how == "a link":
            weights.rename(tmp_path / "other")
            weights.symlink_to(tmp_path / "other")
        else:
            shutil.copytree(copy, tmp_path / "another")
            copy.rename(tmp_path / "aside")
            (tmp_path / "another").rename(copy)

    from cloister.runtime import generate

    decoder: Any = open_decoder

    def opened(*arguments: Any, **more: Any) -> Any:
        found = decoder(*arguments, **more)
        change()
        return found

    if when == "while":
        monkeypatch.setattr(generate, "open_decoder", opened)
    else:
        plain = generate.GeneratorEngine._opened

        def late(self: Any, *arguments: Any) -> Any:
            change()
            return plain(self, *arguments)

        monkeypatch.setattr(generate.GeneratorEngine, "_opened", late)
    if (how, when) == ("the folder", "while"):
        load(copy).close()  # what was opened is what was verified: it is held open and looked up in the old folder
        return
    with pytest.raises(BundleError) as raised:
        load(copy)
    assert raised.value.code == "bundle_hash_mismatch"
    assert "after it was verified" in raised.value.message


def test_a_graph_that_names_a_file_elsewhere_is_refused(large: Path, tmp_path: Path) -> None:
    """Its manifest fits, as one who can write to the folder would make it."""
    import msgspec
    import onnx

    from cloister.runtime.bundle import file_entry
    from cloister.runtime.manifest import MANIFEST
    from cloister.runtime.manifest_file import decode, encode

    copy = Path(shutil.copytree(large, tmp_path / "copy"))
    shutil.copy(copy / "generator.fp32.weights", tmp_path / "elsewhere")
    graph = copy / "generator.fp32.onnx"
    model = onnx.load(graph, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = "../elsewhere"
    graph.write_bytes(model.SerializeToString())
    manifest = decode((copy / MANIFEST).read_bytes())
    files = [file_entry(f.name, copy / f.name) for f in manifest.files]
    (copy / MANIFEST).write_bytes(encode(msgspec.structs.replace(manifest, files=files)))
    with pytest.raises(BundleError) as raised:
        load(copy)
    assert raised.value.code == "graph_rejected"


def test_it_cannot_be_sealed_and_is_not_opened_sealed(large: Path, tmp_path: Path) -> None:
    for role in ("device", "publisher"):
        keygen.generate(tmp_path / role, role)
    recipient, key = tmp_path / "device" / "recipient.txt", tmp_path / "publisher" / "signing.key"
    arguments = ["seal", str(large), str(tmp_path / "out"), "--recipient", str(recipient), "--signing-key", str(key)]
    with pytest.raises(CloisterError) as raised:
        CliRunner().invoke(app, [*arguments, "--version", "1"], catch_exceptions=False)
    assert raised.value.code == "seal_too_large"
    assert "int4" in raised.value.hint
    assert not (tmp_path / "out").exists()
    # Nor when somebody sealed it all the same.
    contents = Contents("bundle", read(large).contents)
    recipients = parse_recipients(recipient.read_text().splitlines())
    seal(tmp_path / "out", contents, Label(1), recipients=recipients, signers=[read_secret_key(key)])
    with pytest.raises(CloisterError) as raised:
        load(tmp_path / "out", unseal=Unseal(tmp_path / "device" / "identity.txt", tmp_path / "publisher/signing.pub"))
    assert raised.value.code == "seal_too_large"
