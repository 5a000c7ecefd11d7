from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from cloister import StorageError
from cloister.privacy import engines
from cloister.privacy.prefilter import Gate

GATES = (Gate("ab+c"), Gate("[0-9]{3}"))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "cloister"


def test_prepare_then_load(cache: Path) -> None:
    path = engines.prepare(GATES)
    assert path is not None
    assert path.parent == cache
    assert cache.stat().st_mode & 0o777 == 0o700
    assert engines.default_engine(GATES).name == "hyperscan"
    written = path.stat().st_mtime_ns
    engines.prepare(GATES)
    assert path.stat().st_mtime_ns == written


def test_until_it_is_compiled_regex_serves_with_the_same_answers(cache: Path) -> None:
    engine = engines.default_engine(GATES)
    assert isinstance(engine, engines.Growing)
    assert sorted(engine.fired("xabbc 123")) == [0, 1]
    engine.thread.join()
    assert engine.name == "hyperscan"
    assert sorted(engine.fired("xabbc 123")) == [0, 1]
    assert engines._cached(GATES) is not None


@pytest.mark.parametrize("damage", ["byte", "empty", "foreign", "folder", "file", "link"])
def test_a_cache_that_is_off_is_not_used(cache: Path, damage: str) -> None:
    path = engines.prepare(GATES)
    assert path is not None
    content = path.read_bytes()
    if damage == "byte":
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "foreign":
        path.write_bytes(hashlib.sha256(b"something else").digest() + b"something else")
    elif damage == "folder":
        cache.chmod(0o755)
    elif damage == "file":
        path.chmod(0o666)
    else:
        path.rename(cache / "other")
        os.symlink(cache / "other", path)
    assert engines._cached(GATES) is None
    engines.prepare(GATES)
    assert engines._cached(GATES) is not None


def test_other_patterns_have_another_database(cache: Path) -> None:
    assert engines.prepare(GATES) != engines.prepare(GATES[:1])


def test_an_unwritable_cache_is_an_error_of_prepare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(StorageError):
        engines.prepare(GATES)
