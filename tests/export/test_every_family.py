"""Every text model family of transformers, as a tiny random model: exported with parity in both precisions, or refused
with the reason that `tests/data/families.json` expects.

FAMILIES=all tries every family (`make families`); otherwise a few that stand for the ways a model can be built.
"""

import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support import sweep

ROOT = Path(__file__).resolve().parents[2]
TABLE = sweep.read_table()
FEW = (
    "bros",  # refused: needs more than text
    "data2vec-text",  # positions after padding
    "eurobert",  # rotary positions, a classifier that averages every token's logits
    "gemma",  # a decoder: causal, one key head for all queries, a head that reads the last token
    "gte",  # rotary positions in a tower without an encoder module
    "mistral",  # causal with a sliding window, grouped queries
    "modernbert",  # bidirectional sliding windows
    "t5",  # relative positions; an encoder and a decoder
)


@pytest.mark.parametrize("name", sorted(TABLE) if os.environ.get("FAMILIES") == "all" else FEW)
def test_a_family_is_exported_or_refused_as_expected(name: str) -> None:
    expected = TABLE[name]
    if expected.path == sweep.UNTRIED:
        pytest.skip("never tried")
    found = sweep.run(name, expected.task, lambda _, bundle: sweep.same_bits(bundle))
    assert found == expected


def test_the_table_has_every_family_that_transformers_has() -> None:
    known = sweep.families()
    assert set(TABLE) == set(known)
    assert all(TABLE[name].task == sweep.task_of(name, tasks) for name, tasks in known.items())
    assert all(outcome.reason for outcome in TABLE.values())


def test_at_least_thirty_families_are_exported() -> None:
    exported = [name for name, outcome in TABLE.items() if outcome.path in ("packed", "padded")]
    assert len(exported) >= 30
    must = ["bert", "roberta", "modernbert", "eurobert", "nomic_bert", "gte", "qwen3"]
    assert [name for name in must if TABLE[name].path != "packed"] == []


def test_the_page_on_architectures_is_written_from_the_table() -> None:
    spec: Any = importlib.util.spec_from_file_location("architectures_table", ROOT / "docs" / "architectures_table.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.TARGET.read_text("utf-8") == module.page()
