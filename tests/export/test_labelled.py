"""Labelled data: what is read, what is refused with file and line, and that no text gets into an error."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloister import CloisterError, InvalidInput, StorageError
from cloister.export.data import read_texts
from cloister.export.labelled import Entity, read_examples, read_labelled
from cloister.export.labels import align, entity_labels

SECRET = "hunter2"


def write(folder: Path, *rows: object, name: str = "data.jsonl") -> Path:
    path = folder / name
    path.write_text("\n".join(r if isinstance(r, str) else json.dumps(r, ensure_ascii=False) for r in rows), "utf-8")
    return path


GOOD = [
    ("single_label", [{"text": "a", "label": "x"}, {"text": "b", "label": 1, "id": 7}]),
    ("multi_label", [{"text": "a", "label": ["x", "y"]}, {"text": "b", "label": []}]),
    ("regression", [{"text": "a", "text_pair": "b", "score": 0.5}, {"text": "c", "text_pair": "d", "score": 1}]),
    ("single_label", [{"text": "a", "text_pair": "b", "label": "x"}, {"text": "c", "text_pair": "d", "label": "y"}]),
    (
        "tagging",
        [{"text": "Ann met Bo", "entities": [{"start": 8, "end": 10, "label": "P"}]}, {"text": "b", "entities": []}],
    ),
    ("question_answering", [{"text": "Who?", "text_pair": "It was Ann.", "answers": ["Ann"]}]),
]


@pytest.mark.parametrize(("kind", "rows"), GOOD)
def test_every_kind_is_told_from_its_fields(tmp_path: Path, kind: str, rows: list[object]) -> None:
    data = read_labelled(write(tmp_path, *rows, ""))
    assert data.kind == kind
    assert [e.line for e in data.examples] == list(range(1, len(rows) + 1))
    assert data.paired == isinstance(data.inputs[0], tuple)


def test_answers_in_the_shapes_that_are_around(tmp_path: Path) -> None:
    shapes: list[dict[str, object]] = [
        {"answer": "Ann"},
        {"answers": ["Ann"]},
        {"answers": {"text": ["Ann"], "answer_start": [7]}},
        {"answers": [{"text": "Ann", "answer_start": 7}]},
        {"answers": [{"text": "Ann", "start": 7}]},
    ]
    for shape in shapes:
        (example,) = read_labelled(write(tmp_path, {"text": "Who?", "text_pair": "It was Ann.", **shape})).examples
        assert example.answers == ("Ann",)
        assert example.input == ("Who?", "It was Ann.")


def test_csv_with_quotes_line_breaks_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes('\ufefftext,label\r\n"a, ""quoted""\r\ntext",x\r\n\r\nb,y\r\n'.encode())
    data = read_labelled(path)
    assert data.inputs == ['a, "quoted"\r\ntext', "b"]
    assert data.labels == ["x", "y"]


def test_a_line_separator_inside_of_a_text_is_no_end_of_line(tmp_path: Path) -> None:
    path = write(tmp_path, {"text": "one\u2028two", "label": "x"}, {"text": "three", "label": "y"})
    assert read_labelled(path).inputs == ["one\u2028two", "three"]
    assert read_texts(path) == ["one\u2028two", "three"]


def test_white_space_at_the_ends_of_an_entity_is_left_out(tmp_path: Path) -> None:
    path = write(tmp_path, {"text": "😀 Ann met", "entities": [{"start": 1, "end": 6, "label": "P"}]})
    assert read_labelled(path).examples[0].entities == (Entity(2, 5, "P"),)


def test_repeated_lines_count_once_and_contradictions_are_counted(tmp_path: Path) -> None:
    rows = [("a", "x"), ("b", "y"), ("a", "x"), ("a", "y")]
    data = read_labelled(write(tmp_path, *({"text": t, "label": label} for t, label in rows)))
    assert (len(data.examples), data.duplicates, data.contradictions) == (3, 1, 1)


OK = {"text": "fine", "label": "x"}
PAIR = {"text": SECRET, "text_pair": f"{SECRET} and more"}
BAD: list[tuple[object, ...]] = [
    (OK, f'{{"text": "{SECRET}'),
    (OK, f'["{SECRET}"]'),
    (OK, {"text": SECRET}),
    (OK, {"text": SECRET, "label": None}),
    (OK, {"text": SECRET, "label": ""}),
    (OK, {"text": SECRET, "label": True}),
    (OK, {"text": SECRET, "label": 0.5}),
    (OK, {"text": SECRET, "label": "y", "score": 1}),
    (OK, {"text": "  ", "label": SECRET}),
    (OK, {"text": 5, "label": SECRET}),
    (OK, {"text": SECRET, "text_pair": "", "label": "y"}),
    (OK, {**PAIR, "label": "y"}),
    (OK, {"text": SECRET, "label": ["y"]}),
    (OK, {"text": SECRET, "label": "x"}),
    (OK, '{"text": "' + SECRET + '\\ud800", "label": "y"}'),
    (OK, "[" * 100_000),
    ({"text": SECRET, "label": ["x", "x"]},),
    ({"text": SECRET, "label": []}, {"text": "b", "label": []}),
    ({"text": SECRET, "score": "much"},),
    ({"text": SECRET, "score": 1}, {"text": "b", "score": 1.0}),
    ('{"text": "' + SECRET + '", "score": NaN}',),
    ('{"text": "' + SECRET + '", "score": 1' + "0" * 400 + "}",),
    ({"text": SECRET, "entities": []},),
    ({"text": SECRET, "entities": "x"},),
    ({"text": SECRET, "entities": ["x"]},),
    ({"text": SECRET, "entities": [{"start": 0, "end": 99, "label": "P"}]},),
    ({"text": SECRET, "entities": [{"start": -2, "end": 3, "label": "P"}]},),
    ({"text": SECRET, "entities": [{"start": 3, "end": 3, "label": "P"}]},),
    ({"text": SECRET, "entities": [{"start": 0.0, "end": 3, "label": "P"}]},),
    ({"text": SECRET, "entities": [{"start": 0, "end": 3}]},),
    ({"text": f"{SECRET}   x", "entities": [{"start": 7, "end": 9, "label": "P"}]},),
    ({"text": SECRET, "entities": [{"start": 0, "end": 3, "label": "P"}, {"start": 2, "end": 5, "label": "P"}]},),
    ({"text": SECRET, "entities": [{"start": 0, "end": 3, "label": "P"}], "annotated": "P"},),
    ({"text": SECRET, "entities": [{"start": 0, "end": 3, "label": "P"}], "annotated": [SECRET]},),
    ({"text": SECRET, "entities": [], "annotated": ["P"]},),
    ({"text": SECRET, "answers": [SECRET]},),
    ({**PAIR, "answers": []},),
    ({**PAIR, "answers": "elsewhere"},),
    ({**PAIR, "answers": [{"text": SECRET, "answer_start": 3}]},),
    ({**PAIR, "answers": [{"text": SECRET, "answer_start": -1}]},),
    ({**PAIR, "answers": {"text": [SECRET], "answer_start": [0, 1]}},),
    ({**PAIR, "answers": {"text": SECRET}},),
    ("",),
]


@pytest.mark.parametrize("rows", BAD)
def test_bad_lines_are_refused_by_file_and_line_without_their_text(tmp_path: Path, rows: tuple[object, ...]) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_labelled(write(tmp_path, *rows))
    assert "data.jsonl" in caught.value.message
    assert SECRET not in str(caught.value)
    if len(rows) == 2 and rows[0] == OK and rows[1] != {"text": SECRET, "label": "x"}:
        assert "line 2" in caught.value.message
    assert caught.value.__cause__ is None or SECRET not in str(caught.value.__cause__)


@pytest.mark.parametrize(
    "content",
    [b"", b"text,category\na,b\n", b"text,label\na\n", b"text,label\na,b,c\n", b'text,label\n"a"b,c\n', b"\xff"],
)
def test_bad_csv_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match=r"data\.csv"):
        read_labelled(path)


def test_a_missing_file_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        read_labelled(tmp_path / "none.jsonl")


@given(st.binary(max_size=200), st.sampled_from([".jsonl", ".csv"]))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes, suffix: str) -> None:
    path = tmp_path_factory.getbasetemp() / f"any{suffix}"
    path.write_bytes(content)
    with contextlib.suppress(CloisterError):
        read_labelled(path)


def test_nothing_shows_in_a_repr(tmp_path: Path) -> None:
    data = read_labelled(write(tmp_path, OK, {"text": SECRET, "label": "y"}))
    assert SECRET not in repr(data) + repr(data.examples)


def test_another_kind_than_the_task_needs_is_refused(tmp_path: Path) -> None:
    data = read_labelled(write(tmp_path, OK, {"text": "b", "label": "y"}))
    data.require("multi_label", "single_label")
    with pytest.raises(InvalidInput, match="one label for each text"):
        data.require("tagging")


def test_labels_are_mapped_by_name_whatever_their_order_and_case(tmp_path: Path) -> None:
    data = read_labelled(write(tmp_path, {"text": "a", "label": "Very Good"}, {"text": "b", "label": "bad"}))
    assert align(data, ["BAD", "so-so", "very_good"]) == {"Very Good": 2, "bad": 0}
    assert align(data, ["bad", "BAD", "Very Good"]) == {"Very Good": 2, "bad": 0}
    for labels in (["LABEL_0", "LABEL_1"], ["BAD", "Bad", "Very Good"], ["Very Good"]):
        with pytest.raises(InvalidInput) as caught:
            align(data, labels)
        assert caught.value.code == "labels_mismatch"
        assert "line" in caught.value.message


def test_two_spellings_of_one_label_are_refused(tmp_path: Path) -> None:
    data = read_labelled(write(tmp_path, {"text": "a", "label": "GOOD"}, {"text": "b", "label": "Good"}))
    with pytest.raises(InvalidInput, match="two ways"):
        align(data, ["good", "bad"])


def test_entity_labels_of_a_tagger(tmp_path: Path) -> None:
    assert entity_labels(["O", "B-PER", "I-PER", "B-LOC"]) == ["PER", "LOC"]
    assert entity_labels(["O", "PER", "LOC"]) == ["PER", "LOC"]
    data = read_labelled(write(tmp_path, {"text": "Ann", "entities": [{"start": 0, "end": 3, "label": "per"}]}))
    assert align(data, entity_labels(["O", "B-LOC", "I-LOC", "B-PER", "I-PER"])) == {"per": 1}


DESCRIBED = {"label": "refund", "description": "wants money back"}


def test_examples_and_descriptions_in_one_file(tmp_path: Path) -> None:
    examples, kind, described = read_examples(write(tmp_path, OK, DESCRIBED, {"text": "b", "label": "refund"}))
    assert ([e.labels for e in examples], kind, described) == (
        [("x",), ("refund",)],
        "single_label",
        {"refund": "wants money back"},
    )
    assert read_examples(write(tmp_path, DESCRIBED, {**DESCRIBED, "label": "other"}))[0] == []


@pytest.mark.parametrize(
    "rows",
    [
        (DESCRIBED,),
        (DESCRIBED, DESCRIBED),
        (DESCRIBED, {"description": SECRET}),
        (DESCRIBED, {"label": SECRET, "description": ""}),
        (DESCRIBED, {"label": "a", "description": 5}),
        (DESCRIBED, {"label": "a"}),
        (OK, {**OK, "text": SECRET}),
        ({"text": SECRET, "score": 1}, {"text": "b", "score": 2}),
        ("",),
    ],
)
def test_bad_few_shot_files_are_refused(tmp_path: Path, rows: tuple[object, ...]) -> None:
    with pytest.raises(InvalidInput, match=r"data\.jsonl") as caught:
        read_examples(write(tmp_path, *rows))
    assert SECRET not in str(caught.value)
