"""Splits and targets: nothing leaks from one side to the other; a tagger that is right gives back what was marked."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from cloister.export.features import IGNORED, Features, bio, padded, tagging, word_tags
from cloister.export.jobs import _weights
from cloister.export.labelled import Entity, Example, Labelled
from cloister.export.split import hold_out, hold_out_texts, overlap
from cloister.runtime import heads
from cloister.runtime.manifest import TokenizerSettings
from cloister.runtime.tokens import TextTokenizer
from tests.support.models import tokenizer

LABELS = st.lists(st.tuples(st.integers(0, 30), st.sampled_from("abc")), min_size=2, max_size=60)
WINDOW = 16


def labelled(rows: list[tuple[int, str]]) -> Labelled:
    return Labelled(
        "data.jsonl",
        "single_label",
        tuple(Example(i, f"text {text}", labels=(label,)) for i, (text, label) in enumerate(rows)),
    )


@given(LABELS, st.floats(0, 0.5), st.integers(0, 3))
def test_a_split_is_a_partition_that_keeps_texts_together(rows: list[tuple[int, str]], share: float, seed: int) -> None:
    data = labelled(rows)
    kept, held = hold_out(data, share, seed)
    assert sorted(e.line for e in (*kept.examples, *held.examples)) == list(range(len(rows)))
    assert kept.examples
    assert overlap(kept, held) == 0
    assert hold_out(data, share, seed) == (kept, held)
    first = {e.input: e.labels for e in reversed(data.examples)}
    assert set(first.values()) == {first[e.input] for e in kept.examples}


def test_a_split_takes_from_every_label_in_proportion() -> None:
    kept, held = hold_out(labelled([(i, "a") for i in range(80)] + [(100 + i, "b") for i in range(20)]), 0.1, 0)
    assert held.counts() == {"a": 8, "b": 2}
    assert kept.counts() == {"a": 72, "b": 18}


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1), st.floats(0, 0.5))
def test_texts_are_split_once_each(texts: list[str], share: float) -> None:
    kept, held = hold_out_texts(texts, share, 0)
    assert sorted(kept + held) == sorted(set(texts))


def text_tokenizer(kind: str) -> TextTokenizer:
    settings = TokenizerSettings(file="t", window=WINDOW, padding_id=0, token_types=True, first_position=0)
    return TextTokenizer(tokenizer(kind).backend_tokenizer.to_str().encode(), settings)


TOKENIZERS = {kind: text_tokenizer(kind) for kind in ("wordpiece", "bytes", "unigram")}
WORDS = st.lists(st.sampled_from(["Ann", "Berlin", "unbelievable", "to", "x", "1984", "café"]), min_size=1, max_size=30)


@given(WORDS, st.sampled_from(sorted(TOKENIZERS)), st.data())
def test_a_tagger_that_is_right_gives_back_the_entities(words: list[str], kind: str, data: st.DataObject) -> None:
    text = " ".join(words)
    starts = np.cumsum([0, *(len(w) + 1 for w in words[:-1])]).tolist()
    entities, at = [], 0
    while at < len(words):
        size = data.draw(st.integers(0, 3))
        if size:
            last = min(at + size, len(words)) - 1
            label = data.draw(st.sampled_from(["P", "L"]))
            entities.append(Entity(starts[at], starts[last] + len(words[last]), label))
        at += size + 1
    labels = bio(["L", "P"])
    example = Example(1, text, entities=tuple(entities))
    rows = tagging(Labelled("d", "tagging", (example,)), TOKENIZERS[kind], labels)
    logits = []
    for row in rows.rows:
        perfect = np.full((len(row["labels"]), len(labels)), -9.0, np.float32)
        for token, target in enumerate(row["labels"]):
            perfect[token, 0 if target == IGNORED else target] = 9.0
        logits.append(perfect)
    found = heads.tagging(text, rows.windows[0], logits, labels).entities
    assert [(e.start, e.end, e.label) for e in found] == [(e.start, e.end, e.label) for e in entities]


def test_words_that_nobody_judged_may_carry_what_was_not_looked_for() -> None:
    labels = bio(["L", "P"])  # O B-L I-L B-P I-P
    entities = (Entity(0, 3, "P"),)
    examples = (
        Example(1, "Ann met Bo", entities=entities, annotated=("P",)),
        Example(2, "Ann met Bo", entities=entities, annotated=("L", "P")),
        Example(3, "Ann met Bo", entities=entities),
        Example(4, "Ann met Bo", annotated=("L",)),
    )
    made = tagging(Labelled("d", "tagging", examples), TOKENIZERS["wordpiece"], labels)
    targets = [row["labels"][row["labels"] != IGNORED].tolist() for row in made.rows]
    assert targets == [[3, 5, 5], [3, 0, 0], [3, 0, 0], [6, 6, 6]]
    assert made.partial == ((0, 1, 2), (0, 3, 4))
    only = Labelled("e", "tagging", examples[3:])
    assert tagging(only, TOKENIZERS["wordpiece"], labels, made.partial).partial == made.partial


def test_the_loss_of_a_target_with_several_labels_is_of_their_sum() -> None:
    from cloister.export.training import partial_cross_entropy

    logits = torch.tensor(np.random.default_rng(0).normal(size=(6, 4)), dtype=torch.float32, requires_grad=True)
    targets = torch.tensor([1, 4, IGNORED, 0, 5, 3])
    partial = [(0, 2), (0, 1, 2, 3)]
    probabilities = torch.softmax(logits, 1)
    sums = [probabilities[0, 1], probabilities[1, [0, 2]].sum(), probabilities[3, 0], probabilities[5, 3]]
    loss = partial_cross_entropy(logits, targets, partial)
    assert loss.item() == pytest.approx(-sum(float(p.log()) for p in sums) / 5, abs=1e-6)  # all allowed: no loss
    weights = torch.tensor([0.5, 2.0, 1.0, 1.0])
    shares = [2.0, 0.5, 0.5, 1.0]
    wanted = -sum(w * float(p.log()) for w, p in zip(shares, sums, strict=True)) / (sum(shares) + 0.5)
    assert partial_cross_entropy(logits, targets, partial, weights).item() == pytest.approx(wanted, abs=1e-6)
    loss.backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_a_span_that_cuts_a_word_marks_the_word() -> None:
    (window,) = TOKENIZERS["wordpiece"].windows("unbelievable Ann", 0)
    tags = word_tags("unbelievable Ann", window, [Entity(2, 12, "X"), Entity(13, 15, "Y")])
    assert [tag for _, tag in tags] == ["B-X", "B-Y"]


def test_of_a_pair_the_first_text_is_tagged() -> None:
    example = Example(1, ("Ann met Bob", "met"), entities=(Entity(0, 3, "P"), Entity(8, 11, "P")))
    words = TOKENIZERS["wordpiece"]
    rows = tagging(Labelled("d", "tagging", (example,)), words, bio(["P"]))
    (row,), ((window,),) = rows.rows, rows.windows
    assert len(row["input_ids"]) == len(window.content) + 4  # three special tokens and the second text
    assert row["labels"][row["labels"] != IGNORED].tolist() == [1, 0, 1]


def test_a_batch_is_padded() -> None:
    rows = [
        {"input_ids": np.array([5, 6, 7]), "labels": np.array([0, 1, IGNORED])},
        {"input_ids": np.array([8]), "labels": np.array([2])},
    ]
    batch = padded(rows, 9)
    assert batch["input_ids"].tolist() == [[5, 6, 7], [8, 9, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch["labels"].tolist() == [[0, 1, IGNORED], [2, IGNORED, IGNORED]]
    flags = padded([{"input_ids": np.array([1]), "labels": np.array([1, 0], np.float32)}], 0)["labels"]
    assert flags.dtype == np.float32
    assert flags.tolist() == [[1, 0]]
    assert padded([{"input_ids": np.array([1]), "labels": 3}], 0)["labels"].tolist() == [3]


def test_class_weights_are_scikit_learns() -> None:
    classes = [0] * 12 + [1] * 3 + [2] * 5
    rows = Features([{"input_ids": np.array([1]), "labels": c} for c in classes], [])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=classes)
    assert np.allclose(_weights(rows, labelled([(0, "a")]), ["a", "b", "c"]) or [], expected)
