"""`make bench-planted` with fewer requests: nothing planted reaches the model, and what does is counted."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from benchmarks import planted


def test_nothing_reaches_the_model_and_nothing_foreign_comes_back(tmp_path: Path) -> None:
    found = asyncio.run(planted.main(120, tmp_path))
    assert (found.requests, found.values > 120) == (120, True)
    assert (+found.reached, found.changed, found.foreign) == ({}, 0, 0)
    assert not found.failed


def test_what_reaches_the_model_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a policy everything does; an answer that holds somebody else's value is seen."""
    monkeypatch.setattr(planted, "POLICY", 'name = "open"\noutput = "pass"\ndefault = "keep"\n')
    found = asyncio.run(planted.main(16, tmp_path))
    assert found.reached.total() == found.values
    assert found.failed
    one = planted.planted(1, [])
    tally, other = planted.Tally(), "someone@example.org"
    tally.count(one, "", f"{one.texts[-1]} {other}", {other})
    assert (tally.changed, tally.foreign) == (1, 1)


def test_requests_are_what_they_say() -> None:
    made: list[Any] = [planted.planted(n, ["<EMAIL_ADDRESS_0123456789abcdef>"]) for n in range(400)]
    assert {entity for one in made for entity, _ in one.values} == {kind[0] for kind in planted.KINDS}
    for one in made:
        assert all(value in text for (_, value), text in zip(one.values, one.texts, strict=True))
