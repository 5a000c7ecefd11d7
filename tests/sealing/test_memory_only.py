"""A sealed load writes nothing: not under a limit that forbids it, not by the list of system calls, not on request."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cloister import CloisterError
from cloister.privacy import Unseal
from cloister.runtime import Diagnostics, Options, load
from tests.support.seals import Ground

LOAD = """
import sys
from cloister.privacy import Unseal
from cloister.runtime import load
engine = load(sys.argv[1], unseal=Unseal(sys.argv[2], sys.argv[3], min_version=2), check=True)
print(engine.predict(["Where is my parcel?"])[0].label)
"""
NO_FILES = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
STATE = """
import ctypes, resource
print(resource.getrlimit(resource.RLIMIT_CORE)[0], ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""

WRITING = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND|O_TMPFILE|creat\(|memfd_create|rename|link|mkdir")


@pytest.fixture
def places(tmp_path: Path) -> dict[str, str]:
    """An environment whose folders are empty, and stay so."""
    folders = {name: tmp_path / name.lower() for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME")}
    for folder in folders.values():
        folder.mkdir()
    (tmp_path / "cwd").mkdir()
    return {**os.environ, **{name: str(f) for name, f in folders.items()}, "PYTHONDONTWRITEBYTECODE": "1"}


def run(code: str, ground: Ground, places: dict[str, str], *before: str) -> subprocess.CompletedProcess[str]:
    unseal = ground.unseal
    return subprocess.run(
        [*before, sys.executable, "-c", code, str(ground.current), str(unseal.identity), str(unseal.public_key)],
        env=places,
        cwd=Path(places["HOME"]).parent / "cwd",
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_load_succeeds_where_no_file_can_be_written(ground: Ground, places: dict[str, str], tmp_path: Path) -> None:
    done = run(NO_FILES + LOAD, ground, places)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in ("negative", "positive")
    assert [p for name in ("home", "tmpdir", "xdg_cache_home", "cwd") for p in (tmp_path / name).rglob("*")] == []
    refused = run(NO_FILES + "open('x', 'w', buffering=1).write('y\\n')", ground, places)
    assert "File too large" in refused.stderr  # the limit does forbid it


def test_no_system_call_opens_a_file_for_writing(ground: Ground, places: dict[str, str], tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    calls = (
        "open,openat,openat2,creat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,mkdir,mkdirat,memfd_create"
    )
    trace = ["strace", "-f", "-qq", "-o", str(tmp_path / "trace"), "-e", f"trace={calls}"]
    if run("", ground, places, *trace).returncode:
        pytest.skip("strace may not trace here")

    def writes(code: str) -> list[str]:
        done = run(code, ground, places, *trace)
        assert done.returncode == 0, done.stderr
        lines = (tmp_path / "trace").read_text().splitlines()
        assert any("seal.json" in line for line in lines) == ("load(" in code)
        return [line for line in lines if WRITING.search(line) and "/dev/null" not in line]

    assert writes(LOAD) == []
    assert writes("open('x', 'w')")  # a write is seen


def test_the_process_writes_no_core_dumps_from_then_on(ground: Ground, places: dict[str, str]) -> None:
    done = run(STATE + LOAD + STATE, ground, places)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split()[1] == "1"
    assert lines[-1] == "0 0"


@pytest.mark.parametrize("field", ["profile", "optimized_model"])
def test_what_would_write_is_refused_for_sealed_bundles_only(ground: Ground, tmp_path: Path, field: str) -> None:
    options = Options(diagnostics=Diagnostics(**{field: str(tmp_path / "written")}))
    with pytest.raises(CloisterError) as error:
        load(ground.current, options=options, unseal=ground.unseal)
    assert error.value.code == "seal_would_leak"
    assert list(tmp_path.iterdir()) == []
    bundle = Path(__file__).resolve().parents[1] / "data" / "bundle_v1"
    load(bundle, options=options).predict(["a text"])
    assert [p.name.startswith("written") for p in tmp_path.iterdir()] == [True]


def test_a_model_cannot_switch_profiling_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """onnxruntime honours options that stand in a model when the environment says so; Cloister does not let it."""
    import onnx

    from cloister.runtime.session import Session, onnxruntime

    files = Path(__file__).resolve().parents[1] / "data" / "bundle_v1"
    model = onnx.load(files / "encoder.onnx", load_external_data=False)
    model.metadata_props.add(key="ort_config", value='{"session_options": {"enable_profiling": 1}}')
    weights = (files / "encoder.weights").read_bytes()
    monkeypatch.setenv("ORT_LOAD_CONFIG_FROM_MODEL", "1")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CloisterError) as error:
        Session(model.SerializeToString(), {"encoder.weights": weights}, provider="cpu", threads=1)
    assert error.value.code == "unsupported"
    assert list(tmp_path.iterdir()) == []
    runtime = onnxruntime()
    options = runtime.SessionOptions()
    options.add_external_initializers_from_files_in_memory(["encoder.weights"], [weights], [len(weights)])
    with contextlib.suppress(Exception):
        runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    assert list(tmp_path.iterdir())  # left to itself it writes


def test_the_files_may_vanish_after_the_load(ground: Ground, sealed: Path) -> None:
    engine = load(sealed, unseal=Unseal(ground.unseal.identity, ground.unseal.public_key))
    before = engine.predict(["the same text"])
    shutil.rmtree(sealed)
    assert engine.predict(["the same text"]) == before
