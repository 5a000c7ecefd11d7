"""Redacted data: marked spans and answers follow their text."""

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from cloister.export.labelled import read_labelled
from cloister.export.redaction import DataRedactor, redacted_span
from cloister.privacy import Redactor

REDACTOR = Redactor("identifiers", tagger=None)
PIECES = st.lists(
    st.sampled_from(["Ann ", "wrote to ", "a.b@mail.com", " ", "and 4111 1111 1111 1111", ", ", "ok", "x@y.org"]),
    max_size=8,
).map("".join)


@given(PIECES, st.data())
def test_a_span_follows_its_text(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    redaction = REDACTOR.redact(text)
    first, last = redacted_span(redaction, start, end)
    assert 0 <= first <= last <= len(redaction.text)
    touched = [s for s in redaction.spans if s.start < end and s.end > start]
    if not touched:
        assert redaction.text[first:last] == text[start:end] or start == end
        assert start == end or redaction.original_span(first, last) == (start, end)
    elif start < end:
        low, high = min(start, touched[0].start), max(end, touched[-1].end)
        assert redaction.original_span(first, last) == (low, high)
        assert all(span.replacement in redaction.text[first:last] for span in touched)


def read(folder: Path, *rows: object) -> Path:
    path = folder / "data.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
    return path


def test_entities_answers_and_labels_of_redacted_data(tmp_path: Path) -> None:
    text = "Ann at a.b@mail.com met Bo"
    entities = [(0, 3, "PER"), (7, 15, "MAIL"), (24, 26, "PER")]
    rows = {"text": text, "entities": [{"start": s, "end": e, "label": label} for s, e, label in entities]}
    redactor = DataRedactor("identifiers")
    (example,) = redactor.labelled(read_labelled(read(tmp_path, rows))).examples
    assert isinstance(example.input, str)
    assert [(example.input[e.start : e.end], e.label) for e in example.entities] == [
        ("Ann", "PER"),
        ("<EMAIL_ADDRESS_1>", "MAIL"),
        ("Bo", "PER"),
    ]
    assert redactor.report.replaced == {"EMAIL_ADDRESS": 1}
    question = {"text": "Which address?", "text_pair": text, "answers": ["a.b@mail.com", "at a.b@mail.com"]}
    (example,) = redactor.labelled(read_labelled(read(tmp_path, question))).examples
    assert example.answers == ("<EMAIL_ADDRESS_1>", "at <EMAIL_ADDRESS_1>")
    assert "mail.com" not in str(example.input)


def test_two_entities_in_one_replacement_leave_one(tmp_path: Path) -> None:
    text = "to a.b@mail.com"
    rows = {
        "text": text,
        "entities": [{"start": 3, "end": 6, "label": "USER"}, {"start": 7, "end": 15, "label": "HOST"}],
    }
    redactor = DataRedactor("identifiers")
    (example,) = redactor.labelled(read_labelled(read(tmp_path, rows))).examples
    assert [(e.start, e.label) for e in example.entities] == [(3, "USER")]
    assert redactor.report.dropped == 1


def test_what_a_policy_takes_out_is_not_left_as_an_empty_example(tmp_path: Path) -> None:
    policy = tmp_path / "drop.toml"
    policy.write_text('name = "drop"\n[entity.EMAIL_ADDRESS]\naction = "drop"\n', "utf-8")
    data = read_labelled(read(tmp_path, {"text": "a.b@mail.com", "label": "x"}, {"text": "fine", "label": "y"}))
    redactor = DataRedactor(policy)
    assert redactor.labelled(data).inputs == ["fine"]
    assert redactor.report.dropped == 1
