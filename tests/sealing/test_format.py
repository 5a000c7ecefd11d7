"""The format as SEAL.md describes it: golden seals, a second reader that shares no code, and what is not a seal."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from cloister import CloisterError
from cloister.privacy import Unseal
from cloister.privacy.age import parse_identities, parse_recipients
from cloister.privacy.keyfiles import read_secret_key
from cloister.privacy.seal import Contents, Label, open_sealed, seal
from cloister.privacy.sealed import Sealed
from cloister.privacy.sealfile import Seal, decode_index, decode_seal, encode_seal
from cloister.runtime import load
from cloister.runtime.bundle import read
from tests.data.make_golden_seal import FILE
from tests.support.seals import Ground

DATA = Path(__file__).resolve().parents[1] / "data"


def stranger(
    folder: Path, public_key: str, decrypt: Callable[[Path], bytes]
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """A reader by SEAL.md alone. Raises AssertionError for whatever is not as described."""
    note = (folder / "seal.sig").read_bytes()
    text, _, lines = note.rpartition(b"\n\n")
    text += b"\n"
    assert text == (folder / "seal.json").read_bytes()
    name, key_id, encoded = public_key.strip().split("+", 2)
    key = base64.b64decode(encoded)
    assert key[0] == 1
    assert hashlib.sha256(name.encode() + b"\n" + key).hexdigest()[:8] == key_id
    (line,) = lines.decode().splitlines()
    assert line.startswith(f"— {name} ")
    signature = base64.b64decode(line.split(" ")[2])
    assert signature[:4].hex() == key_id
    Ed25519PublicKey.from_public_bytes(key[1:]).verify(signature[4:], text)
    found = json.loads(text)
    assert found["format"] == "cloister-seal"
    assert found["format_version"] == 1
    assert {p.name for p in folder.iterdir()} == {"seal.json", "seal.sig", *(f["name"] for f in found["files"])}
    for number, part in enumerate(found["files"]):
        data = (folder / part["name"]).read_bytes()
        assert part == {
            "name": f"{number:03d}.age",
            "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
    index = json.loads(decrypt(folder / "000.age"))
    plain = [decrypt(folder / part["name"]) for part in found["files"][1:]]
    assert [entry["bytes"] for entry in index["files"]] == list(map(len, plain))
    return found | {"kind": index["kind"]}, {e["name"]: p for e, p in zip(index["files"], plain, strict=True)}


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    """The golden seals with their identity as a key file must be; git keeps no such modes."""
    copy = Path(shutil.copytree(DATA / "seal_v1", tmp_path / "seal_v1"))
    (copy / "device" / "identity.txt").chmod(0o600)
    return copy


def test_old_seals_stay_readable(golden: Path) -> None:
    unseal = Unseal(golden / "device" / "identity.txt", golden / "publisher" / "signing.pub", 7, "golden-bundle")
    engine = load(golden / "bundle", unseal=unseal, check=True)
    assert engine.digest == read(DATA / "bundle_v1").digest
    with open_sealed(golden / "file", unseal.expecting("golden-file"), "file") as opened:
        assert opened.everything().files == {"data.csv": FILE}


@pytest.mark.parametrize("tool", ["age", "pyrage"])
def test_a_second_reader_finds_the_same(golden: Path, tool: str) -> None:
    """Its own parser and hashes, `cryptography` for the signature, and age's own command for the files."""
    identity = golden / "device" / "identity.txt"
    if tool == "age" and shutil.which("age") is None:
        pytest.skip("age is not installed")

    def decrypt(path: Path) -> bytes:
        if tool == "pyrage":
            return parse_identities(identity.read_bytes()).decrypt(path.read_bytes())
        return subprocess.run(["age", "-d", "-i", identity, path], capture_output=True, check=True).stdout

    key = (golden / "publisher" / "signing.pub").read_text()
    found, files = stranger(golden / "bundle", key, decrypt)
    assert (found["id"], found["version"], found["kind"]) == ("golden-bundle", 7, "bundle")
    assert files == read(DATA / "bundle_v1").contents
    found, files = stranger(golden / "file", key, decrypt)
    assert (found["kind"], files) == ("file", {"data.csv": FILE})


def test_what_age_encrypts_is_opened(ground: Ground, tmp_path: Path) -> None:
    if shutil.which("age") is None:
        pytest.skip("age is not installed")
    (tmp_path / "plain").write_bytes(b"from another implementation" * 5000)
    recipients = ground.folder / "device" / "recipient.txt"
    subprocess.run(["age", "-R", recipients, "-o", tmp_path / "x.age", tmp_path / "plain"], check=True)
    identities = parse_identities((ground.folder / "device" / "identity.txt").read_bytes())
    assert identities.decrypt((tmp_path / "x.age").read_bytes()) == (tmp_path / "plain").read_bytes()


def test_nothing_of_names_or_contents_is_seen_from_outside(ground: Ground) -> None:
    everything = b"".join(p.read_bytes() for p in ground.current.iterdir())
    for secret in (*ground.contents, "bundle", "classification", "negative", "bert"):
        assert secret.encode() not in everything
    assert re.fullmatch(r"(\d{3}\.age|seal\.(json|sig)| )+", " ".join(p.name for p in ground.current.iterdir()))


def resigned(ground: Ground, folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Change seal.json and sign it with the publisher's own key: what is left to find is the contents."""
    found = json.loads((folder / "seal.json").read_bytes())
    edit(found)
    text = msgspec.json.format(json.dumps(found).encode(), indent=2) + b"\n"
    key = read_secret_key(ground.folder / "publisher" / "signing.key")
    (folder / "seal.json").write_bytes(text)
    (folder / "seal.sig").write_bytes(text + b"\n" + key.signature_line(text))


def _drop_last(found: dict[str, Any]) -> None:
    found["files"].pop()


INVALID: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "newer format": (lambda f: f.update(format_version=2, surprise=[]), "seal_format_unknown"),
    "another format": (lambda f: f.update(format="something else"), "seal_invalid"),
    "format version of a wrong type": (lambda f: f.update(format_version="1"), "seal_invalid"),
    "unknown field": (lambda f: f.update(surprise=1), "seal_invalid"),
    "field missing": (lambda f: f.pop("id"), "seal_invalid"),
    "version 0": (lambda f: f.update(version=0), "seal_invalid"),
    "version of a wrong type": (lambda f: f.update(version=2.5), "seal_invalid"),
    "version too large": (lambda f: f.update(version=2**53), "seal_invalid"),
    "id with a slash": (lambda f: f.update(id="a/b"), "seal_invalid"),
    "empty id": (lambda f: f.update(id=""), "seal_invalid"),
    "no files": (lambda f: f.update(files=[]), "seal_invalid"),
    "path as a name": (lambda f: f["files"][1].update(name="../001.age"), "seal_invalid"),
    "files out of order": (lambda f: f["files"].reverse(), "seal_invalid"),
    "twice the same name": (lambda f: f["files"][2].update(name="001.age"), "seal_invalid"),
    "negative size": (lambda f: f["files"][1].update(bytes=-1), "seal_invalid"),
    "digest in capitals": (lambda f: f["files"][1].update(sha256="A" * 64), "seal_invalid"),
    "unlisted file": (_drop_last, "seal_invalid"),
    "contents swapped": (
        lambda f: f["files"].__setitem__(slice(1, 3), [f["files"][1] | {"sha256": "0" * 64}, f["files"][2]]),
        "seal_invalid",
    ),
}


@pytest.mark.parametrize("case", INVALID)
def test_a_signed_seal_that_is_invalid_is_refused(ground: Ground, sealed: Path, case: str) -> None:
    edit, code = INVALID[case]
    resigned(ground, sealed, edit)
    with pytest.raises(CloisterError) as error:
        read(sealed, unseal=ground.unseal)
    assert error.value.code == code
    assert "\n" not in error.value.message


BAD_INDEXES = {
    "no JSON": b"{",
    "not UTF-8": b"\xff",
    "deep": b"[" * 100_000,
    "another kind": b'{"kind": "folder", "files": [{"name": "x", "bytes": 1}]}',
    "too few": b'{"kind": "bundle", "files": []}',
    "too many": b'{"kind": "bundle", "files": [{"name": "x", "bytes": 1}, {"name": "y", "bytes": 1}]}',
    "unknown field": b'{"kind": "bundle", "files": [{"name": "x", "bytes": 1}], "more": 1}',
    **{
        f"name {name!r}": json.dumps({"kind": "file", "files": [{"name": name, "bytes": 1}]}).encode()
        for name in ("", ".", "..", "a/b", "a\\b", "/etc/passwd", "a\0", "x" * 300)
    },
}


@pytest.mark.parametrize("case", BAD_INDEXES)
def test_an_invalid_index_is_refused(case: str) -> None:
    parts = [{"name": f"{n:03d}.age", "bytes": 1, "sha256": "0" * 64} for n in range(2)]
    outer = decode_seal(
        json.dumps({"format": "cloister-seal", "format_version": 1, "id": "a", "version": 1, "files": parts}).encode()
    )
    with pytest.raises(CloisterError) as error:
        decode_index(BAD_INDEXES[case], outer)
    assert error.value.code == "seal_invalid"


def test_a_bundle_that_was_damaged_before_it_was_sealed_is_refused(ground: Ground, tmp_path: Path) -> None:
    key = read_secret_key(ground.folder / "publisher" / "signing.key")
    recipients = parse_recipients((ground.folder / "device" / "recipient.txt").read_text().splitlines())
    for number, inside in enumerate(
        (
            ground.contents | {"golden.json": b"{}"},
            ground.contents | {"more.txt": b"x"},
            {n: d for n, d in ground.contents.items() if n != "manifest.json"},
        )
    ):
        out = tmp_path / str(number)
        seal(out, Contents("bundle", inside), Label(2), recipients=recipients, signers=[key])
        with pytest.raises(CloisterError) as error:
            read(out, unseal=ground.unseal)
        assert error.value.code in ("bundle_hash_mismatch", "bundle_files_mismatch", "seal_invalid")


def test_an_id_can_be_demanded(ground: Ground) -> None:
    read(ground.current, unseal=ground.unseal.expecting("default"))
    with pytest.raises(CloisterError) as error:
        read(ground.current, unseal=ground.unseal.expecting("another"))
    assert error.value.code == "seal_other_bundle"


def test_a_plain_bundle_is_refused_where_a_sealed_one_is_wanted(ground: Ground) -> None:
    with pytest.raises(CloisterError) as error:
        read(DATA / "bundle_v1", unseal=ground.unseal)
    assert error.value.code == "bundle_not_sealed"
    with pytest.raises(CloisterError) as error:
        read(ground.current)
    assert error.value.code == "bundle_sealed"


def test_signature_and_list_are_checked_before_anything_is_decrypted(
    ground: Ground, sealed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (sealed / "seal.sig").write_bytes((ground.foreign / "seal.sig").read_bytes())
    monkeypatch.setattr("cloister.privacy.age.Identities.decrypt", pytest.fail)
    monkeypatch.setattr("cloister.privacy.sealed.decode_seal", pytest.fail)
    with pytest.raises(CloisterError):
        read(sealed, unseal=ground.unseal)


def test_two_publishers_keys_while_one_takes_over(ground: Ground, tmp_path: Path) -> None:
    ours = read_secret_key(ground.folder / "publisher" / "signing.key")
    recipients = parse_recipients((ground.folder / "device" / "recipient.txt").read_text().splitlines())
    signers = [ours, ground.stranger]
    seal(tmp_path / "both", Contents("file", {"a": b"x"}), Label(3), recipients=recipients, signers=signers)
    for key in signers:
        with Sealed(tmp_path / "both", [key.public], min_version=3, bundle_id=None) as found:
            assert found.signers == [key.public]


@settings(max_examples=50, deadline=None)
@given(
    files=st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_characters="/\\\0"), min_size=1, max_size=40).filter(
            lambda name: name not in (".", "..")
        ),
        st.binary(max_size=200),
        min_size=1,
        max_size=5,
    ),
    version=st.integers(1, 2**53 - 1),
)
def test_whatever_is_sealed_comes_out_again(
    ground: Ground, tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], version: int
) -> None:
    key = read_secret_key(ground.folder / "publisher" / "signing.key")
    recipients = parse_recipients((ground.folder / "device" / "recipient.txt").read_text().splitlines())
    out = tmp_path_factory.mktemp("sealed") / "out"
    made = seal(out, Contents("bundle", files), Label(version), recipients=recipients, signers=[key])
    assert decode_seal(encode_seal(made)) == made
    with open_sealed(out, Unseal(ground.unseal.identity, ground.unseal.public_key)) as opened:
        assert opened.seal == made
        assert list(opened.everything().files.items()) == list(files.items())


def test_a_version_or_id_that_no_seal_may_have() -> None:
    for name, version in (("", 1), ("a b", 1), ("é", 1), ("x" * 129, 1), ("a", 0), ("a", 2**53)):
        with pytest.raises(CloisterError) as error:
            Seal.of(name, version, [])
        assert error.value.code == "invalid_input"
