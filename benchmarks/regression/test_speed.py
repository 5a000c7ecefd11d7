"""`make bench-regression`: the suite; `check.py` judges what it writes. Not among the tests of `make test`.

Each benchmark names its reference kernel (`extra_info["reference"]`). References run first and last, and the lesser of
their two minima counts, so that a machine that drifts is not taken for slower code.
"""

from collections.abc import Callable

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import workbench as wb
from benchmarks.lab.workloads import Texts
from cloister.privacy import Redactor
from cloister.runtime import Engine
from cloister.runtime.packing import Tokens
from cloister.runtime.processor import available_threads

from . import kernels

_CLEAN = "the parcel that was ordered last week has not arrived and nobody answers the question where it may be " * 3
_DENSE = (
    "Write to jane.roe@example.org or call +1 415-555-0132, card 4111 1111 1111 1111, "
    "IBAN DE89 3704 0044 0532 0130 00, SSN 536-22-1234, "
    "from 203.0.113.7 at https://example.org/account?id=7; the second card is 5500 0000 0000 0004."
)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return wb.engine()


@pytest.fixture(scope="module")
def texts() -> Texts:
    return Texts(wb.model_folder())


def _reference(name: str) -> Callable[[], object]:
    return kernels.int8(available_threads()) if name == "int8" else kernels.python()


def _measure(benchmark: BenchmarkFixture, reference: str, run: Callable[[], object]) -> None:
    benchmark.extra_info["reference"] = reference
    benchmark(run)


@pytest.mark.parametrize("name", ["int8", "python"])
def test_first_reference(benchmark: BenchmarkFixture, name: str) -> None:
    _measure(benchmark, name, _reference(name))


@pytest.mark.parametrize("shape", ["mixed", "8x128", "1x128", "1x16"])
def test_forward(benchmark: BenchmarkFixture, engine: Engine, texts: Texts, shape: str) -> None:
    tokens: list[Tokens] = engine.tokenize(_texts(texts, shape))
    _measure(benchmark, "int8", lambda: engine.forward(tokens))


@pytest.mark.parametrize("shape", ["mixed", "1x16"])
def test_predict(benchmark: BenchmarkFixture, engine: Engine, texts: Texts, shape: str) -> None:
    given = _texts(texts, shape)
    _measure(benchmark, "int8", lambda: engine.predict(given))


def _texts(texts: Texts, shape: str) -> list[str]:
    if shape == "mixed":
        return list(texts.mixed().texts)
    count, tokens = map(int, shape.split("x"))
    return list(texts.uniform(count, tokens, shape).texts)


@pytest.mark.parametrize("text", [_CLEAN, _DENSE], ids=["clean", "dense"])
def test_redact(benchmark: BenchmarkFixture, text: str) -> None:
    redactor = Redactor("balanced", tagger=None)
    redactor.prepare()
    _measure(benchmark, "python", lambda: redactor.redact(text))


def test_tokenize(benchmark: BenchmarkFixture, engine: Engine) -> None:
    given = wb.traffic()
    _measure(benchmark, "python", lambda: engine.tokenize(given, truncate=True))


@pytest.mark.parametrize("name", ["int8", "python"])
def test_last_reference(benchmark: BenchmarkFixture, name: str) -> None:
    _measure(benchmark, name, _reference(name))
