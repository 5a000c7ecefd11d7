"""From arrays to results: tags to entities, logits to answers."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloister.runtime import heads
from cloister.runtime.encoder import pooled
from cloister.runtime.packing import Tokens
from cloister.runtime.tokens import Window, spans


def window(offsets: list[tuple[int, int]], words: list[int] | None = None, first: int = 0) -> Window:
    count = len(offsets)
    numbers = np.array(words if words is not None else range(count), np.int64)
    positions = np.arange(1, count + 1)
    return Window(
        Tokens(np.zeros(count + 2, np.int64)), positions, np.array(offsets, np.int64).reshape(-1, 2), numbers, first
    )


def logits(tags: list[str], labels: list[str]) -> Any:
    rows = np.full((len(tags) + 2, len(labels)), -4.0, np.float32)
    for row, tag in enumerate(tags):
        rows[row + 1, labels.index(tag)] = 4
    return rows


TEXT = "Ada Lovelace met Grace Hopper in Paris"
OFFSETS = [(0, 3), (4, 12), (13, 16), (17, 22), (23, 29), (30, 32), (33, 38)]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("B-P I-P O B-P I-P O B-L", [("Ada Lovelace", "P"), ("Grace Hopper", "P"), ("Paris", "L")]),
        ("I-P I-P O I-P I-P O I-L", [("Ada Lovelace", "P"), ("Grace Hopper", "P"), ("Paris", "L")]),
        ("I-P B-P O O O O O", [("Ada", "P"), ("Lovelace", "P")]),
        ("B-P I-L O O O O O", [("Ada", "P"), ("Lovelace", "L")]),
        ("B-P E-P O S-P S-P O U-L", [("Ada Lovelace", "P"), ("Grace", "P"), ("Hopper", "P"), ("Paris", "L")]),
        ("O O O O O O O", []),
    ],
)
def test_schemes(tags: str, expected: list[tuple[str, str]]) -> None:
    names = tags.split()
    labels = sorted({"O", "B-P", *names})
    found = heads.tagging(TEXT, [window(OFFSETS)], [logits(names, labels)], labels)
    assert [(e.text, e.label) for e in found.entities] == expected
    assert all(TEXT[e.start : e.end] == e.text for e in found.entities)


def test_labels_without_a_scheme_continue_themselves() -> None:
    labels = ["O", "E-mail", "Name"]
    found = heads.tagging(
        TEXT, [window(OFFSETS)], [logits(["Name", "Name", "O", "E-mail", "O", "O", "O"], labels)], labels
    )
    assert [(e.text, e.label) for e in found.entities] == [("Ada Lovelace", "Name"), ("Grace", "E-mail")]


def test_a_word_takes_the_label_of_its_first_token_and_chinese_characters_are_words() -> None:
    labels = ["O", "B-P", "I-P"]
    pieces = heads.tagging("Lovelace", [window([(0, 4), (4, 8)], [0, 0])], [logits(["B-P", "O"], labels)], labels)
    assert [e.text for e in pieces.entities] == ["Lovelace"]
    chinese = heads.tagging(
        "李雷来", [window([(0, 1), (1, 2), (2, 3)], [0, 0, 0])], [logits(["B-P", "I-P", "O"], labels)], labels
    )
    assert [e.text for e in chinese.entities] == ["李雷"]


def test_tokens_that_share_a_code_point_do_not_make_overlapping_entities() -> None:
    labels = ["O", "B-P"]
    shared = heads.tagging("👍", [window([(0, 1), (0, 1), (0, 1)])], [logits(["B-P"] * 3, labels)], labels)
    assert [(e.start, e.end) for e in shared.entities] == [(0, 1)]


@given(st.integers(1, 60), st.integers(4, 20), st.integers(0, 3))
def test_windows_answer_for_every_token_once(count: int, room: int, overlap: int) -> None:
    starts = [0]
    while starts[-1] + room < count:
        starts.append(starts[-1] + room - overlap)
    parts = [window([(i, i + 1) for i in range(s, min(s + room, count))], first=s) for s in starts]
    covered = [int(o[0]) for part, cut in zip(parts, spans(parts), strict=True) for o in part.offsets[cut]]
    assert covered == list(range(count))


@settings(deadline=None)
@given(st.integers(1, 45), st.integers(0, 10_000))
def test_the_answer_is_the_best_span_of_all(count: int, seed: int) -> None:
    context = "x" * count
    values = np.random.default_rng(seed).standard_normal((count + 2, 2)).astype(np.float32)
    part = window([(i, i + 1) for i in range(count)])
    found = heads.answer(context, [part], [values])
    inner = values[1:-1].astype(np.float64)
    best = max((inner[a, 0] + inner[b, 1], a, b) for a in range(count) for b in range(a, min(a + 30, count)))
    assert (found.start, found.end) == (best[1], best[2] + 1)
    probabilities = np.exp(inner) / np.exp(inner).sum(0)
    assert found.score == pytest.approx(probabilities[best[1], 0] * probabilities[best[2], 1])


@pytest.mark.parametrize("mode", ["mean", "cls", "max"])
def test_pooling(mode: Any) -> None:
    rows = np.random.default_rng(0).standard_normal((7, 5)).astype(np.float32)
    wanted = {"mean": rows.mean(0), "cls": rows[0], "max": rows.max(0)}[mode]
    np.testing.assert_allclose(pooled(rows, mode), wanted, rtol=1e-6)
    assert np.linalg.norm(heads.unit_length(pooled(rows, mode))) == pytest.approx(1)


def test_results_keep_content_out_of_their_repr() -> None:
    labels = ["O", "B-P"]
    found = heads.tagging("Ada", [window([(0, 3)])], [logits(["B-P"], labels)], labels)
    assert "Ada" not in repr(found) + repr(found.entities)
