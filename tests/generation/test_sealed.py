"""Models that write text, sealed: opened in memory, the same texts, refused when touched, every command."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cloister import CloisterError
from cloister.cli import app
from cloister.export import export
from cloister.runtime import GenerationOptions, load
from tests.support.encoder_decoders import marian
from tests.support.seals import MUTATIONS, Ground, ground, mutate

PROMPT = "Where is my parcel?"
GENERATE = """
import sys
from cloister.privacy import Unseal
from cloister.runtime import GenerationOptions, load
engine = load(sys.argv[1], unseal=Unseal(sys.argv[2], sys.argv[3], min_version=2), check=True)
sys.stdout.buffer.write(engine.generate(sys.argv[4], GenerationOptions(max_tokens=12)).text().encode())
engine.close()
"""
NO_FILES = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
WRITING = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND|O_TMPFILE|creat\(|memfd_create|rename|link|mkdir")
KINDS = ["decoder", "encoder-decoder"]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, writer: Path) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("plain")
    export(marian(folder / "model"), folder / "translator", task="translation", precision="fp32")
    return {"decoder": writer, "encoder-decoder": folder / "translator"}


@pytest.fixture(scope="module")
def seals(tmp_path_factory: pytest.TempPathFactory, plain: dict[str, Path]) -> dict[str, Ground]:
    return {kind: ground(tmp_path_factory.mktemp("seals"), bundle) for kind, bundle in plain.items()}


@pytest.fixture
def places(tmp_path: Path) -> dict[str, str]:
    """An environment whose folders are empty, and stay so."""
    folders = {name: tmp_path / name.lower() for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "CWD")}
    for folder in folders.values():
        folder.mkdir()
    found = {**os.environ, **{name: str(f) for name, f in folders.items()}, "PYTHONDONTWRITEBYTECODE": "1"}
    found.pop("ORT_DISABLE_TELEMETRY", None)
    return found


def run(code: str, seals: Ground, places: dict[str, str], *before: str) -> subprocess.CompletedProcess[bytes]:
    keys = [str(seals.unseal.identity), str(seals.unseal.public_key)]
    command = [*before, sys.executable, "-c", code, str(seals.current), *keys, PROMPT]
    return subprocess.run(command, env=places, cwd=places["CWD"], capture_output=True, check=False)


@pytest.mark.parametrize("kind", KINDS)
def test_it_writes_the_same_and_no_file(
    plain: dict[str, Path], seals: dict[str, Ground], places: dict[str, str], kind: str
) -> None:
    """Not even under a limit that lets no file have a byte."""
    done = run(NO_FILES + GENERATE, seals[kind], places)
    assert done.returncode == 0, done.stderr
    engine = load(plain[kind])
    assert done.stdout.decode() == engine.generate(PROMPT, GenerationOptions(max_tokens=12)).text() != ""
    engine.close()
    left = [p for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "CWD") for p in Path(places[name]).rglob("*")]
    assert left == []


def test_no_system_call_opens_a_file_for_writing(
    seals: dict[str, Ground], places: dict[str, str], tmp_path: Path
) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    calls = (
        "open,openat,openat2,creat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,mkdir,mkdirat,memfd_create"
    )
    trace = ["strace", "-f", "-qq", "-o", str(tmp_path / "trace"), "-e", f"trace={calls}"]
    if run("", seals["decoder"], places, *trace).returncode:
        pytest.skip("strace may not trace here")
    done = run(GENERATE, seals["decoder"], places, *trace)
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "trace").read_text().splitlines()
    assert any("seal.json" in line for line in lines)
    assert [line for line in lines if WRITING.search(line) and "/dev/null" not in line] == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_touched_is_refused(seals: dict[str, Ground], tmp_path: Path, kind: str) -> None:
    seen = set()
    for seed in range(30):
        seen.add(mutate(tmp_path / "sealed", seed, seals[kind]))
        with pytest.raises(CloisterError) as error:
            load(tmp_path / "sealed", unseal=seals[kind].unseal)
        assert error.value.code.startswith(("seal_", "signature_", "bundle_"))
    assert len(seen) > len(MUTATIONS) // 2
    with pytest.raises(CloisterError) as error:
        load(seals[kind].current)
    assert error.value.code == "bundle_sealed"


@pytest.mark.parametrize("kind", KINDS)
def test_every_command_opens_it(plain: dict[str, Path], seals: dict[str, Ground], kind: str) -> None:
    keys = ["--identity", str(seals[kind].unseal.identity), "--public-key", str(seals[kind].unseal.public_key)]

    def cloister(command: str, *more: str) -> str:
        done = CliRunner().invoke(app, [command, str(seals[kind].current), *more, *keys], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    shown = json.loads(cloister("inspect", "--json"))
    with load(plain[kind]).generate(PROMPT, GenerationOptions(max_tokens=8)) as generation:
        text = generation.text()
    assert shown["digest"] == load(plain[kind]).digest
    assert "sealed" in cloister("inspect")
    checked = json.loads(cloister("check", "--json"))
    assert (checked["holds"], checked["digest"]) == (True, shown["digest"])
    assert cloister("generate", PROMPT, "--max-tokens", "8") == text + "\n"
    measured = json.loads(
        cloister("bench", "--json", "--seconds", "0.001", "--lengths", "8", "--batches", "2", "--threads", "1")
    )
    assert measured["bundles"][0]["digest"] == shown["digest"]
    assert measured["bundles"][0]["latency"][0]["median_ms"] > 0


def test_a_model_cannot_set_options_of_its_own(plain: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as a profile, which onnxruntime would write to the disk."""
    monkeypatch.setenv("ORT_LOAD_CONFIG_FROM_MODEL", "1")
    for bundle in plain.values():
        with pytest.raises(CloisterError) as error:
            load(bundle)
        assert error.value.code == "unsupported"
