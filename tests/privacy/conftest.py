"""Redactors that tests share, with the pattern database in a cache of the session."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from cloister.privacy import Policy, Redactor

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    Redactor("identifiers", tagger=None).prepare()
    from cloister.privacy import redact

    redact._scanner.cache_clear()
    yield
    patch.undo()


@pytest.fixture(scope="session")
def everything(_cache: None) -> Redactor:
    """Finds and replaces whatever it can."""
    return Redactor(Policy.parse('name = "everything"\ndefault = "replace"'), tagger=None)


@pytest.fixture(scope="session")
def balanced(_cache: None) -> Redactor:
    return Redactor(tagger=None)


@pytest.fixture(scope="session")
def bench() -> dict[str, ModuleType]:
    """The suites of benchmarks/redaction, by name."""
    folder = ROOT / "benchmarks" / "redaction"
    sys.path.insert(0, str(folder))
    try:
        out = {}
        for name in ("values", "transforms", "lookalikes"):
            spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules[name] = module
            spec.loader.exec_module(module)
            out[name] = module
        return out
    finally:
        sys.path.remove(str(folder))
