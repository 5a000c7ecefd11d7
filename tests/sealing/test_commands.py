"""keygen, seal, verify and open as a user types them, and every command that takes a bundle with a sealed one."""

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cloister import CloisterError
from cloister.cli import app
from tests.support.seals import Ground

BUNDLE = Path(__file__).resolve().parents[1] / "data" / "bundle_v1"


def cloister(*arguments: str | Path) -> str:
    """Run a command in this process; its standard output. Raises what the command raises."""
    done = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)
    if done.exit_code:
        raise SystemExit(done.exit_code)
    return done.stdout


def failed(*arguments: str | Path) -> CloisterError:
    with pytest.raises(CloisterError) as error:
        cloister(*arguments)
    assert "\n" not in error.value.message
    return error.value


@pytest.fixture
def office(tmp_path: Path, ground: Ground, keys: Path) -> Path:
    """A folder with a device's keys, a publisher's, a bundle and its seal."""
    shutil.copytree(ground.folder / "publisher", tmp_path / "publisher")
    shutil.copytree(ground.current, tmp_path / "sealed")
    shutil.copytree(BUNDLE, tmp_path / "bundle")
    return tmp_path


def opening(office: Path) -> list[str | Path]:
    return ["--identity", office / "keys" / "identity.txt", "--public-key", office / "publisher" / "signing.pub"]


def sealing(office: Path) -> list[str | Path]:
    recipient, key = office / "keys" / "recipient.txt", office / "publisher" / "signing.key"
    return ["--recipient", recipient, "--signing-key", key, "--version", "3"]


def sealed_to(office: Path, out: str) -> list[str | Path]:
    return ["seal", office / "bundle", office / out]


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(p.relative_to(folder)): (p.lstat().st_mode, p.read_bytes() if p.is_file() else b"")
        for p in sorted(folder.rglob("*"))
    }


def test_a_sealed_bundle_is_measured_beside_another_and_leaves_no_file(office: Path) -> None:
    quick = ["--seconds", "0.01", "--lengths", "8", "--batches", "1", "--json"]
    before = snapshot(office)
    document = json.loads(
        cloister("bench", office / "sealed", "--compare", office / "sealed", *quick, *opening(office))
    )
    digest = json.loads(cloister("inspect", office / "bundle", "--json"))["digest"]
    assert [entry["digest"] for entry in document["bundles"]] == [digest] * 2
    assert len(document["comparison"]) == 2
    assert snapshot(office) == before
    error = failed("bench", office / "sealed", *quick)
    assert "sealed" in error.message + error.hint


def test_every_command_takes_a_sealed_bundle_and_answers_the_same(office: Path) -> None:
    for command in (["inspect", "--json"], ["check", "--json"], ["predict"]):
        texts = ["Where is my parcel?", "a second"] if command == ["predict"] else []
        plain = cloister(command[0], office / "bundle", *texts, *command[1:])
        sealed = cloister(command[0], office / "sealed", *texts, *command[1:], *opening(office), "--min-version", "2")
        assert sealed == plain
        refused = failed(command[0], office / "sealed", *texts, *command[1:], *opening(office), "--min-version", "3")
        assert refused.code == "seal_version_too_old"
        assert failed(command[0], office / "sealed", *texts).code == "bundle_sealed"
        assert failed(command[0], office / "bundle", *texts, *opening(office)).code == "bundle_not_sealed"
        assert failed(command[0], office / "sealed", *opening(office), "--bundle-id", "x").code == "seal_other_bundle"
    assert "sealed" in cloister("inspect", office / "sealed", *opening(office))


def test_seal_reseal_open(office: Path) -> None:
    made = json.loads(cloister("seal", office / "bundle", office / "one", *sealing(office), "--id", "m", "--json"))
    assert made == {
        "sealed": str(office / "one"), "kind": "bundle", "id": "m", "version": 3, "files": 6,
        "size_bytes": sum(p.stat().st_size for p in (office / "one").glob("*.age")), "recipients": 1,
        "signed_by": ["acme"],
    }  # fmt: skip
    cloister("keygen", office / "new", "--role", "device")
    again = [a if a != "3" else "4" for a in sealing(office)]
    again[1] = (office / "new" / "recipient.txt").read_text().strip()
    shown = json.loads(cloister("seal", office / "one", office / "two", *again, *opening(office), "--json"))
    assert (shown["id"], shown["version"]) == ("m", 4)
    assert failed("open", office / "two", office / "out", *opening(office)).code == "seal_not_for_identity"
    theirs = ["--identity", office / "new" / "identity.txt", *opening(office)[2:]]
    opened = json.loads(cloister("open", office / "two", office / "out", *theirs, "--json"))
    assert opened == {"opened": str(office / "out"), "kind": "bundle", "id": "m", "version": 4, "files": 5}
    assert {n: d for n, (_, d) in snapshot(office / "out").items()} == {n: d for n, (_, d) in snapshot(BUNDLE).items()}
    assert {stat.S_IMODE(m) for m, _ in snapshot(office / "out").values()} == {0o600}
    assert stat.S_IMODE((office / "out").stat().st_mode) == 0o700


def test_a_single_file(office: Path) -> None:
    (office / "données.csv").write_bytes(b"text,label\n")
    cloister("seal", office / "données.csv", office / "one", *sealing(office))
    assert cloister("verify", office / "one", *opening(office)[2:])
    assert failed("predict", office / "one", "x", *opening(office)).code == "seal_other_kind"
    cloister("seal", office / "one", office / "two", *sealing(office), *opening(office))
    cloister("open", office / "two", office / "out.csv", *opening(office))
    assert (office / "out.csv").read_bytes() == b"text,label\n"
    assert stat.S_IMODE((office / "out.csv").stat().st_mode) == 0o600
    assert failed("open", office / "two", office / "out.csv", *opening(office)).code == "output_exists"
    assert "donn" not in (office / "two" / "seal.json").read_text()


def test_verify_remembers_only_when_asked_and_only_what_opens(office: Path) -> None:
    minimum = office / "keys" / "minimum.json"
    public = opening(office)[2:]
    shown = json.loads(cloister("verify", office / "sealed", *public, "--json"))
    assert (shown["ok"], shown["version"], shown["opens"], shown["minimum"]) == (True, 2, False, None)
    cloister("verify", office / "sealed", *opening(office))
    cloister("predict", office / "sealed", "x", *opening(office))
    assert not minimum.exists()
    last = office / "sealed" / "005.age"
    whole = last.read_bytes()
    last.write_bytes(whole[:-1])
    assert failed("verify", office / "sealed", *public).code == "seal_invalid"
    assert failed("verify", office / "sealed", *opening(office), "--remember").code == "seal_invalid"
    assert not minimum.exists()
    last.write_bytes(whole)
    assert json.loads(cloister("verify", office / "sealed", *opening(office), "--remember", "--json"))["minimum"] == 2
    cloister("seal", office / "bundle", office / "old", *sealing(office)[:-1], "1")
    before = snapshot(office)
    for command in (["verify"], ["inspect"], ["check"], ["predict"]):
        assert failed(*command, office / "old", *opening(office)).code == "seal_version_too_old"
    assert failed("verify", office / "old", *opening(office), "--remember").code == "seal_version_too_old"
    assert failed("open", office / "old", office / "out", *opening(office)).code == "seal_version_too_old"
    assert snapshot(office) == before
    assert cloister("verify", office / "old", *public)  # a signature is good whatever a device remembers


Case = Callable[[Path], list[str | Path]]

WRONG: dict[str, tuple[Case, str]] = {
    "output exists": (lambda o: ["seal", o / "bundle", o / "sealed", *sealing(o)], "output_exists"),
    "output is a link": (lambda o: ["seal", o / "bundle", o / "dangling", *sealing(o)], "output_exists"),
    "no folder for the output": (lambda o: ["seal", o / "bundle", o / "a" / "b", *sealing(o)], "storage_failed"),
    "no bundle": (lambda o: ["seal", o / "none", o / "out", *sealing(o)], "bundle_not_found"),
    "not a bundle": (lambda o: ["seal", o / "keys", o / "out", *sealing(o)], "bundle_not_found"),
    "damaged bundle": (lambda o: ["seal", o / "damaged", o / "out", *sealing(o)], "bundle_hash_mismatch"),
    "sealed already": (lambda o: ["seal", o / "sealed", o / "out", *sealing(o)], "bundle_sealed"),
    "id with spaces": (lambda o: [*sealed_to(o, "out"), *sealing(o), "--id", "a b"], "invalid_input"),
    "version too large": (lambda o: [*sealed_to(o, "out"), *sealing(o)[:-1], str(2**53)], "invalid_input"),
    "no such recipients": (lambda o: [*sealed_to(o, "out"), "--recipient", o / "x", *sealing(o)[2:]], "key_invalid"),
    "recipients without one": (
        lambda o: [*sealed_to(o, "out"), "--recipient", "/dev/null", *sealing(o)[2:]], "key_invalid"
    ),
    "identity as a recipient": (
        lambda o: [*sealed_to(o, "out"), "--recipient", o / "keys" / "identity.txt", *sealing(o)[2:]], "key_invalid"
    ),
    "public key to sign with": (
        lambda o: [*sealed_to(o, "out"), *sealing(o), "--signing-key", o / "publisher" / "signing.pub"], "key_invalid"
    ),
    "verify with the device's key": (
        lambda o: ["verify", o / "sealed", "--public-key", o / "keys" / "audit.pub"], "signature_invalid"
    ),
    "verify with the secret key": (
        lambda o: ["verify", o / "sealed", "--public-key", o / "publisher" / "signing.key"], "key_invalid"
    ),
    "verify a plain bundle": (lambda o: ["verify", o / "bundle", *opening(o)[2:]], "seal_not_found"),
    "verify nothing": (lambda o: ["verify", o / "none", *opening(o)[2:]], "seal_not_found"),
    "verify a file": (lambda o: ["verify", o / "bundle" / "manifest.json", *opening(o)[2:]], "seal_not_found"),
    "remember without a file": (
        lambda o: ["verify", o / "sealed", "--identity", "env:X", *opening(o)[2:], "--remember"], "key_invalid"
    ),
    "open onto a folder": (lambda o: ["open", o / "sealed", o / "bundle", *opening(o)], "output_exists"),
    "keys over keys": (lambda o: ["keygen", o / "keys", "--role", "device"], "output_exists"),
    "roles in one folder": (lambda o: ["keygen", o / "keys", "--role", "publisher"], "output_exists"),
    "keys into a file": (lambda o: ["keygen", o / "bundle" / "manifest.json", "--role", "device"], "storage_failed"),
    "key name with a plus": (lambda o: ["keygen", o / "new", "--role", "publisher", "--name", "a+b"], "key_invalid"),
    "nowhere to put keys": (lambda o: ["keygen", o / "a" / "b", "--role", "device"], "storage_failed"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_and_nothing_changes(office: Path, case: str) -> None:
    arguments, code = WRONG[case]
    (office / "dangling").symlink_to("nowhere")
    shutil.copytree(office / "bundle", office / "damaged")
    (office / "damaged" / "golden.json").write_bytes(b"{}")
    before = snapshot(office)
    error = failed(*arguments(office))
    assert error.code == code
    assert error.hint
    assert snapshot(office) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["predict", "sealed", "x", "--identity", "i"],
        ["predict", "sealed", "x", "--public-key", "p"],
        ["inspect", "sealed", "--min-version", "1"],
        ["verify", "sealed", "--public-key", "p", "--remember"],
        ["verify", "sealed"],
        ["seal", "bundle", "out", "--recipient", "r", "--signing-key", "k"],
        ["seal", "bundle", "out", "--recipient", "r", "--signing-key", "k", "--version", "0"],
        ["keygen", "new"],
        ["keygen", "new", "--role", "both"],
        ["open", "sealed", "out", "--identity", "i"],
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as error:
        cloister(*arguments)
    assert error.value.code == 2


def test_a_full_disk_leaves_nothing_behind(office: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = snapshot(office)
    for at in range(1, 9):
        count = 0
        plain = os.fsync

        def full(descriptor: int, plain: Callable[[int], None] = plain, at: int = at) -> None:
            nonlocal count
            count += 1
            if count == at:
                raise OSError(28, "No space left on device")
            plain(descriptor)

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            assert failed("seal", office / "bundle", office / "out", *sealing(office)).code == "storage_failed"
        assert snapshot(office) == before


@pytest.mark.parametrize("most", [100, 1000, 30_000, 60_000])
def test_a_write_that_fails_half_way_leaves_nothing_behind(office: Path, most: int) -> None:
    before = snapshot(office)
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({most}, {most}))"
    code = f"{limit}\nfrom cloister.cli import main\nmain()"
    for command in (
        [*sealed_to(office, "out"), *sealing(office)],
        ["open", office / "sealed", office / "out", *opening(office)],
    ):
        done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "File too large" in done.stderr.splitlines()[0]
        assert snapshot(office) == before


def test_a_secret_on_the_command_line_is_refused_and_not_repeated(office: Path) -> None:
    secret = (office / "keys" / "identity.txt").read_text().splitlines()[-1]
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "cloister.cli",
        "predict",
        office / "sealed",
        "x",
        "--identity",
        secret,
    ]
    done = subprocess.run([*command, *opening(office)[2:]], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["error", "hint"]
    assert secret not in done.stderr
    signing = (office / "publisher" / "signing.key").read_text().strip()
    assert signing not in str(failed("seal", office / "bundle", office / "out", *sealing(office)[:2], "--version", "1",
                                     "--signing-key", signing))  # fmt: skip


@pytest.mark.parametrize("command", ["keygen", "seal", "verify", "open"])
def test_help_has_an_example(command: str) -> None:
    assert f"cloister {command}" in cloister(command, "--help")


def test_without_the_extra_it_is_named(office: Path) -> None:
    for missing in ("pyrage", "cryptography"):
        code = f"import sys; sys.modules[{missing!r}] = None\nfrom cloister.cli import main\nmain()"
        done = subprocess.run(
            [sys.executable, "-c", code, "predict", office / "sealed", "x", *opening(office)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 1
        assert "cloister[seal]" in done.stderr
        assert "Traceback" not in done.stderr
