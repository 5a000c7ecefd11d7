"""Keys: who may read them, where they come from, what is wrong with them; never on a command line."""

import os
import stat
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from cloister import CloisterError, KeyFileError, OutputExists
from cloister.privacy import Unseal, keyfiles, keygen, process
from cloister.privacy.age import parse_identities, parse_recipients
from cloister.privacy.minimum import raise_minimum, stored_minimum
from cloister.runtime.bundle import read
from tests.support.seals import Ground


def test_each_role_has_its_files_and_modes(tmp_path: Path) -> None:
    device = keygen.generate(tmp_path / "device", "device")
    publisher = keygen.generate(tmp_path / "publisher", "publisher", "acme/models")
    assert set(device) == {"identity.txt", "recipient.txt", "audit.key", "audit.pub"}
    assert set(publisher) == {"signing.key", "signing.pub"}
    modes = {name: stat.S_IMODE(path.stat().st_mode) for name, path in (device | publisher).items()}
    assert modes == {
        **dict.fromkeys(("identity.txt", "audit.key", "signing.key"), 0o600),
        **dict.fromkeys(("recipient.txt", "audit.pub", "signing.pub"), 0o644),
    }
    identities = parse_identities(device["identity.txt"].read_bytes())
    assert identities.recipients == (device["recipient.txt"].read_text().strip(),)
    key = keyfiles.read_secret_key(publisher["signing.key"])
    assert key.public == keyfiles.read_public_key(publisher["signing.pub"])
    assert key.name == "acme/models"
    assert {p.name for p in tmp_path.iterdir()} == {"device", "publisher"}


@pytest.mark.parametrize("role", ["device", "publisher"])
@pytest.mark.parametrize("present", ["identity.txt", "audit.pub", "signing.key", "signing.pub"])
def test_no_key_is_overwritten_and_no_folder_shared(tmp_path: Path, role: keygen.Role, present: str) -> None:
    (tmp_path / present).write_text("mine")
    with pytest.raises(OutputExists):
        keygen.generate(tmp_path, role)
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {present: "mine"}


def test_a_full_disk_leaves_no_key_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = 0
    plain = os.fsync

    def full(descriptor: int) -> None:
        nonlocal written
        written += 1
        if written > 3:
            raise OSError(28, "No space left on device")
        plain(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CloisterError, match="No space left"):
        keygen.generate(tmp_path / "new", "device")
    assert list(tmp_path.iterdir()) == []


def _mode(mode: int) -> Callable[[Path], str]:
    def change(path: Path) -> str:
        path.chmod(mode)
        return str(path)

    return change


def _text(content: str) -> Callable[[Path], str]:
    def change(path: Path) -> str:
        path.write_text(content)
        return str(path)

    return change


def _truncated(path: Path) -> str:
    path.write_text(path.read_text().rstrip()[:-9])
    return str(path)


def _link(path: Path) -> str:
    path.rename(path.parent / "elsewhere")
    path.symlink_to("elsewhere")
    return str(path)


BAD_IDENTITIES: dict[str, Callable[[Path], str]] = {
    "readable by the world": _mode(0o604),
    "readable by the group": _mode(0o640),
    "writable by the group": _mode(0o620),
    "truncated": _truncated,
    "empty": _text(""),
    "only comments": _text("# nothing\n"),
    "no text": lambda p: (p.write_bytes(b"\xff\xfe\0"), str(p))[1],
    "something else": _text("hello\n"),
    "a recipient": _text("age1tj636eef0v4eq620fvxp5pl0yu38gwygg8kgkdcnrnz2wzmefgzsmkggz0\n"),
    "another checksum": lambda p: _text(p.read_text().replace("Q", "P", 1).replace("S", "T", 3))(p),
    "a link": _link,
    "a folder": lambda p: str(p.parent),
    "missing": lambda p: str(p.parent / "none"),
    "no such variable": lambda p: "env:NO_SUCH_VARIABLE_HERE",
    "no such descriptor": lambda p: "fd:987",
    "no number": lambda p: "fd:three",
    "negative number": lambda p: "fd:-1",
    "huge number": lambda p: "fd:99999999999999999999",
    "the key itself": lambda p: p.read_text().splitlines()[-1],
}


@pytest.mark.parametrize("case", BAD_IDENTITIES)
def test_a_bad_identity_is_refused_without_a_word_of_it(ground: Ground, keys: Path, case: str) -> None:
    secret = (keys / "identity.txt").read_text().splitlines()[-1]
    identity = BAD_IDENTITIES[case](keys / "identity.txt")
    with pytest.raises(KeyFileError) as error:
        read(ground.current, unseal=Unseal(identity, ground.unseal.public_key))
    assert error.value.code == "key_invalid"
    said = f"{error.value!r} {error.value} {error.value.__cause__!r}"
    assert secret[20:40] not in said
    assert secret not in repr(Unseal("identity.txt", "signing.pub"))


def test_another_identity_opens_nothing(ground: Ground, tmp_path: Path) -> None:
    keygen.generate(tmp_path / "other", "device")
    with pytest.raises(CloisterError) as error:
        read(ground.current, unseal=Unseal(tmp_path / "other" / "identity.txt", ground.unseal.public_key))
    assert error.value.code == "seal_not_for_identity"


def test_several_identities_in_one_file(ground: Ground, keys: Path, tmp_path: Path) -> None:
    """A device that changes its identity keeps the old one until everything is sealed for the new one."""
    keygen.generate(tmp_path / "new", "device")
    both = (tmp_path / "new" / "identity.txt").read_text() + (keys / "identity.txt").read_text()
    (keys / "identity.txt").write_text(both)
    found = read(ground.current, unseal=Unseal(keys / "identity.txt", ground.unseal.public_key))
    assert found.contents == ground.contents


def test_an_identity_from_a_variable_or_a_descriptor(
    ground: Ground, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = (keys / "identity.txt").read_text()
    monkeypatch.setenv("DEVICE_IDENTITY", secret.splitlines()[-1])
    public = ground.unseal.public_key
    assert read(ground.current, unseal=Unseal("env:DEVICE_IDENTITY", public)).contents == ground.contents
    out, into = os.pipe()
    os.write(into, secret.encode())
    os.close(into)
    unseal = Unseal(f"fd:{out}", public)
    for _ in range(2):  # a service loads models again, and a pipe gives its bytes once
        assert read(ground.current, unseal=unseal.expecting("default")).contents == ground.contents
    os.close(out)
    assert secret.splitlines()[-1] not in repr(unseal)


BAD_RECIPIENTS = {
    "nobody": [],
    "a name": ["alice"],
    "truncated": ["age1tj636eef0v4eq620fvxp5pl0yu38gwygg8kgkdcnrnz2wzmefgzsmkg"],
    "of another kind": ["age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t"],
    "ssh": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0NOYnxxKR6Dp2cSX2RvOsHxqPt1Gp9ZTnKjxYfJM5i me"],
    "one good, one bad": ["age1tj636eef0v4eq620fvxp5pl0yu38gwygg8kgkdcnrnz2wzmefgzsmkggz0", "age1"],
    "a secret key": ["AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ"],
}


@pytest.mark.parametrize("case", BAD_RECIPIENTS)
def test_unknown_recipients_are_refused(case: str) -> None:
    with pytest.raises(KeyFileError) as error:
        parse_recipients(BAD_RECIPIENTS[case])
    assert error.value.code == "key_invalid"


def test_public_keys_from_a_file_or_a_line(ground: Ground, tmp_path: Path) -> None:
    line = Path(ground.unseal.public_key).read_text().strip()
    other = ground.stranger.public.line
    (tmp_path / "both").write_text(f"# old and new\n{other}\n\n{line}\n")
    for source in (line, tmp_path / "both"):
        read(ground.current, unseal=Unseal(ground.unseal.identity, source))
    for source, code in (
        (other, "signature_invalid"),
        (line[:-4], "key_invalid"),
        (ground.stranger.line, "key_invalid"),
        (ground.stranger.public.cosigner.line, "signature_invalid"),
        (tmp_path / "none", "key_invalid"),
        (tmp_path, "key_invalid"),
        ("\0", "key_invalid"),
    ):
        with pytest.raises(CloisterError) as error:
            read(ground.current, unseal=Unseal(ground.unseal.identity, source))
        assert error.value.code == code
        assert ground.stranger.line[-20:] not in str(error.value)


def test_the_minimum_only_rises(keys: Path) -> None:
    file = keys / "minimum.json"
    assert stored_minimum(file, "a") == 0
    assert [raise_minimum(file, name, n) for name, n in (("a", 3), ("a", 2), ("b", 1), ("a", 4))] == [3, 3, 1, 4]
    assert (stored_minimum(file, "a"), stored_minimum(file, "b"), stored_minimum(file, "c")) == (4, 1, 0)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_minimum_of_many_at_once_is_the_highest(keys: Path) -> None:
    file = keys / "minimum.json"
    threads = [threading.Thread(target=raise_minimum, args=(file, f"m{n % 4}", n)) for n in range(1, 41)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [stored_minimum(file, f"m{n}") for n in range(4)] == [40, 37, 38, 39]
    assert {p.name for p in keys.iterdir()} == {"identity.txt", "recipient.txt", "audit.key", "audit.pub", file.name}


def _minimum_link(file: Path) -> None:
    (file.parent / "elsewhere").write_text('{"format_version": 1, "versions": {}}')
    file.symlink_to("elsewhere")


def _minimum_text(content: bytes, mode: int = 0o600) -> Callable[[Path], None]:
    def write(file: Path) -> None:
        file.write_bytes(content)
        file.chmod(mode)

    return write


BAD_MINIMA: dict[str, Callable[[Path], None]] = {
    "empty": _minimum_text(b""),
    "no JSON": _minimum_text(b"{"),
    "no object": _minimum_text(b"[]"),
    "negative": _minimum_text(b'{"format_version": 1, "versions": {"default": -1}}'),
    "no number": _minimum_text(b'{"format_version": 1, "versions": {"default": "1"}}'),
    "newer": _minimum_text(b'{"format_version": 2, "versions": {}}'),
    "unknown field": _minimum_text(b'{"format_version": 1, "versions": {}, "more": 1}'),
    "writable by others": _minimum_text(b'{"format_version": 1, "versions": {}}', 0o602),
    "a link": _minimum_link,
    "a folder": lambda file: file.mkdir(),
}


@pytest.mark.parametrize("case", BAD_MINIMA)
def test_a_damaged_minimum_opens_nothing_and_stays(ground: Ground, keys: Path, case: str) -> None:
    file = keys / "minimum.json"
    BAD_MINIMA[case](file)
    before = file.lstat()
    with pytest.raises(CloisterError) as error:
        read(ground.current, unseal=Unseal(keys / "identity.txt", ground.unseal.public_key))
    assert error.value.code == "seal_minimum_invalid"
    with pytest.raises(CloisterError):
        raise_minimum(file, "default", 5)
    assert file.lstat().st_mtime_ns == before.st_mtime_ns


def test_a_full_disk_leaves_the_minimum_as_it_was(keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = keys / "minimum.json"
    raise_minimum(file, "a", 3)
    names = {p.name for p in keys.iterdir()}

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CloisterError, match="No space left"):
        raise_minimum(file, "a", 4)
    assert stored_minimum(file, "a") == 3
    assert {p.name for p in keys.iterdir()} == names


def test_secrets_are_overwritten_after_use(ground: Ground, keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[bytearray] = []
    plain = keyfiles.read_secret

    def watched(source: str | os.PathLike[str]) -> bytearray:
        given.append(plain(source))
        return given[-1]

    monkeypatch.setattr(keyfiles, "read_secret", watched)
    read(ground.current, unseal=Unseal(keys / "identity.txt", ground.unseal.public_key))
    keyfiles.read_secret_key(ground.folder / "publisher" / "signing.key")
    assert [bytes(x) == bytes(len(x)) and len(x) > 60 for x in given] == [True, True]


def test_no_core_dumps_is_asked_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    asked: list[tuple[int, tuple[int, int]]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda which, limits: asked.append((which, limits)))
    monkeypatch.setattr(sys, "platform", "other")
    process.forbid_core_dumps()
    assert [(which, limits[0]) for which, limits in asked] == [(resource.RLIMIT_CORE, 0)]
