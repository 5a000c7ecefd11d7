"""Signed notes against the published example of Go's `sumdb/note`, and keys on disk."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloister import CloisterError, KeyFileError, OutputExists, SignatureInvalid
from cloister.privacy import keyfiles
from cloister.privacy.notes import SecretKey, parse_note, parse_public_key, parse_secret_key, verified

# The example of the documentation of golang.org/x/mod/sumdb/note.
PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
SECRET = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
TEXT = b"If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
).encode()


def test_the_published_example_is_signed_and_verified_alike() -> None:
    key = parse_secret_key(SECRET)
    assert key.line == SECRET
    assert key.public.line == PUBLIC
    assert key.public == parse_public_key(PUBLIC)
    assert key.sign(TEXT) == TEXT + b"\n" + LINE
    assert verified(TEXT + b"\n" + LINE, [parse_public_key(PUBLIC)]) == (TEXT, [key.public])


def test_signatures_of_strangers_are_ignored_and_bad_ones_of_known_keys_are_not() -> None:
    ours, stranger = SecretKey.generate("ours"), SecretKey.generate("stranger")
    note = ours.sign(TEXT) + stranger.signature_line(TEXT)
    assert verified(note, [ours.public])[1] == [ours.public]
    assert verified(note, [ours.public, stranger.public])[1] == [ours.public, stranger.public]
    bad = TEXT + b"\n" + stranger.signature_line(TEXT) + ours.signature_line(TEXT + b"more\n")
    with pytest.raises(SignatureInvalid):
        verified(bad, [ours.public, stranger.public])
    with pytest.raises(SignatureInvalid):
        verified(note, [SecretKey.generate("ours").public])


def test_a_cosignature_carries_its_time_and_is_no_plain_signature() -> None:
    witness = SecretKey.generate("witness")
    note = TEXT + b"\n" + witness.cosignature_line(TEXT, 1679315147)
    assert verified(note, [witness.public.cosigner])[1] == [witness.public.cosigner]
    assert parse_note(note).signatures[0].seconds == 1679315147
    with pytest.raises(SignatureInvalid):
        verified(note, [witness.public])
    later = note.replace(b"\xe2\x80\x94", b"\xe2\x80\x94")
    raw = bytearray(parse_note(later).signatures[0].raw)
    raw[7] ^= 1
    assert not witness.public.cosigner.verifies(TEXT, bytes(raw))


@given(st.data())
def test_no_changed_byte_of_a_signed_note_verifies(data: st.DataObject) -> None:
    key = parse_secret_key(SECRET)
    note = bytearray(key.sign(TEXT))
    at = data.draw(st.integers(0, len(note) - 1))
    note[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SignatureInvalid):
        verified(bytes(note), [key.public])


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_politely(data: bytes) -> None:
    for parse in (parse_public_key, parse_secret_key):
        with pytest.raises(KeyFileError):
            parse(data.decode("latin-1"))
    with pytest.raises(SignatureInvalid):
        verified(data, [])


def test_texts_that_a_note_cannot_hold_are_not_signed() -> None:
    for text in (b"no newline", b"an empty\n\nline\n", b"a\tcontrol character\n"):
        with pytest.raises(ValueError, match="note's text"):
            SecretKey.generate("k").sign(text)


def test_secret_keys_stay_out_of_reprs_and_messages() -> None:
    key = parse_secret_key(SECRET)
    seed = SECRET.rpartition("+")[2]
    assert seed not in repr(key)
    with pytest.raises(KeyFileError) as raised:
        parse_secret_key(SECRET[:-4])
    assert seed[:-4] not in str(raised.value)


def _write(path: Path, text: str, mode: int) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_key_files_are_checked_before_they_are_read(tmp_path: Path) -> None:
    good = _write(tmp_path / "good.key", SECRET + "\n", 0o600)
    assert keyfiles.read_secret_key(good).line == SECRET
    link = tmp_path / "link.key"
    link.symlink_to(good)
    pipe = tmp_path / "pipe.key"
    os.mkfifo(pipe, 0o600)
    for bad in (
        _write(tmp_path / "open.key", SECRET, 0o644),
        _write(tmp_path / "short.key", SECRET[:40], 0o600),
        _write(tmp_path / "two.key", SECRET + "\n" + SECRET, 0o600),
        _write(tmp_path / "public.key", PUBLIC, 0o600),
        tmp_path / "none.key",
        link,
        pipe,
        tmp_path,
    ):
        with pytest.raises(KeyFileError):
            keyfiles.read_secret_key(bad)
    with pytest.raises(KeyFileError, match="secret key where a public one"):
        keyfiles.read_public_key(good)


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    key = SecretKey.generate("a")
    keyfiles.write_key_pair(tmp_path / "a.key", tmp_path / "a.pub", key)
    assert (tmp_path / "a.key").stat().st_mode & 0o777 == 0o600
    assert keyfiles.read_secret_key(tmp_path / "a.key") == key
    assert keyfiles.read_public_key(tmp_path / "a.pub") == key.public
    with pytest.raises(OutputExists):
        keyfiles.write_key_pair(tmp_path / "a.key", tmp_path / "b.pub", SecretKey.generate("b"))
    with pytest.raises(OutputExists):
        keyfiles.write_key_pair(tmp_path / "b.key", tmp_path / "a.pub", SecretKey.generate("b"))
    assert not (tmp_path / "b.key").exists()
    assert not (tmp_path / "b.pub").exists()
    with pytest.raises(CloisterError):
        SecretKey.generate("with a space")
