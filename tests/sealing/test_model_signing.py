"""The OpenSSF signature beside a sealed folder, checked by its own library (`make test-model-signing` installs it)."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from cloister import CloisterError
from cloister.privacy import modelsigning
from cloister.privacy.storage import write_synced
from tests.support.seals import Ground


def _pem(folder: Path, key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> Path:
    path = folder / "model.key"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    path.chmod(0o600)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "model.pub").write_bytes(public)
    return path


def test_without_the_extra_it_is_named(ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "model_signing.signing", None)
    with pytest.raises(CloisterError) as error:
        modelsigning.require(ground.current, tmp_path / "model.key")
    assert error.value.code == "missing_extra"
    assert "cloister[model-signing]" in error.value.hint


def _readable(path: Path) -> None:
    path.chmod(0o644)


BAD: dict[str, Callable[[Path], object]] = {
    "Ed25519": lambda folder: _pem(folder, ed25519.Ed25519PrivateKey.generate()),
    "another curve": lambda folder: _pem(folder, ec.generate_private_key(ec.SECP384R1())),
    "readable by others": lambda folder: _readable(_pem(folder, ec.generate_private_key(ec.SECP256R1()))),
    "no key": lambda folder: write_synced(folder / "model.key", b"x", mode=0o600),
    "missing": lambda folder: None,
}


@pytest.mark.parametrize("case", BAD)
def test_keys_that_it_cannot_use_are_refused_before(
    ground: Ground, tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modelsigning, "_libraries", lambda: None)  # the key is looked at before the library
    BAD[case](tmp_path)
    with pytest.raises(CloisterError) as error:
        modelsigning.require(ground.current, tmp_path / "model.key")
    assert error.value.code == "key_invalid"


def test_its_own_verifier_accepts_it_and_finds_every_change(ground: Ground, tmp_path: Path) -> None:
    verifying = pytest.importorskip("model_signing.verifying", reason="make test-model-signing installs model-signing")
    key = _pem(tmp_path, ec.generate_private_key(ec.SECP256R1()))
    device, publisher = ground.folder / "device", ground.folder / "publisher"
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "cloister.cli",
        "seal",
        ground.current,
        tmp_path / "sealed",
        "--version",
        "3",
    ]
    keys: list[str | Path] = ["--recipient", device / "recipient.txt", "--signing-key", publisher / "signing.key"]
    opening: list[str | Path] = ["--identity", device / "identity.txt", "--public-key", publisher / "signing.pub"]
    subprocess.run([*command, *keys, *opening, "--model-signing", key], check=True, capture_output=True)

    hashing = pytest.importorskip("model_signing.hashing")
    # Also the verifier has to be told to look at every file: by default an added .gitattributes passes.
    every = hashing.Config().set_ignored_paths(paths=[], ignore_git_paths=False)

    def verify() -> None:
        config = (
            verifying.Config().use_elliptic_key_verifier(public_key=tmp_path / "model.pub").set_hashing_config(every)
        )
        config.verify(tmp_path / "sealed", tmp_path / "sealed.sig")

    verify()
    for name in ("000.age", ".gitattributes", "seal.json"):
        path = tmp_path / "sealed" / name
        before = path.read_bytes() if path.exists() else None
        path.write_bytes((before or b"") + b"x")
        with pytest.raises(ValueError, match=r"mismatch|[Hh]ash|do not match"):
            verify()
        path.unlink() if before is None else path.write_bytes(before)
    verify()
    again = subprocess.run([*command, *keys, *opening, "--model-signing", key], check=False, capture_output=True)
    assert again.returncode == 1
