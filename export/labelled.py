"""Labelled data that users bring: read, checked line by line, and mapped to a model's labels by name.

One reader for evaluation, fine-tuning and few-shot. An error names the file and the line, never what stands in it: a
file whose columns were swapped has texts where labels should be.
"""

import csv
import io
import itertools
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeGuard

from .. import InvalidInput, StorageError

Text = str | tuple[str, str]
Rows = list[tuple[int, Mapping[str, Any]]]
Kind = Literal["single_label", "multi_label", "regression", "tagging", "question_answering"]

WHAT: dict[Kind, str] = {
    "single_label": "one label for each text",
    "multi_label": "a list of labels for each text",
    "regression": "a score for each text",
    "tagging": "entities for each text",
    "question_answering": "answers for each question",
}
_HINT = (
    'lines are {"text": "…", "label": "…"} (several labels: a list; a number: "score"; pairs: also "text_pair"), '
    '{"text": "…", "entities": [{"start": 0, "end": 4, "label": "…"}]}, or {"text": question, "text_pair": context, '
    '"answers": ["…"]}; CSV has a header text,label'
)
_DESCRIPTION = 'lines that describe a label are {"label": "…", "description": "…"}'


@dataclass(frozen=True, slots=True, order=True, repr=False)
class Entity:
    """A labelled span. `start` and `end` count Unicode code points of the text; white space at its ends is left out."""

    start: int
    end: int
    label: str


@dataclass(frozen=True, slots=True, repr=False)
class Example:
    """One text or pair with what is known about it; the fields of other kinds stay empty.

    Attributes:
        line: line of the file it came from, from 1.
        input: a text, or a pair; for question answering `(question, context)`.
        labels: single-label data has exactly one, multi-label data none or more.
        score: regression data's number.
        entities: tagging data's spans of the text (of a pair's first text), in order, without overlaps.
        annotated: labels that were looked for in this text; None for all. What is not marked may carry any other label.
        answers: accepted answers; each occurs in the context.
    """

    line: int
    input: Text
    labels: tuple[str, ...] = ()
    score: float | None = None
    entities: tuple[Entity, ...] = ()
    annotated: tuple[str, ...] | None = None
    answers: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Its labels, or those of its entities and those that were looked for."""
        return self.labels or (*(entity.label for entity in self.entities), *(self.annotated or ()))

    def judged(self, label: str) -> bool:
        """Whether an entity with this label in the text is right or wrong: not where nobody looked for such."""
        return self.annotated is None or label in self.annotated


@dataclass(frozen=True, slots=True, repr=False)
class Labelled:
    """A checked file.

    Attributes:
        name: the file's name.
        examples: in the file's order; repeated lines once.
        duplicates: lines left out because the same text with the same target stands before them.
        contradictions: texts that occur more than once with different targets; they are kept.
    """

    name: str
    kind: Kind
    examples: tuple[Example, ...]
    duplicates: int = 0
    contradictions: int = 0

    def __repr__(self) -> str:
        return f"<Labelled {self.kind}, {len(self.examples)} examples>"

    @property
    def inputs(self) -> list[Text]:
        """Texts and pairs, as `Engine.predict` takes them."""
        return [example.input for example in self.examples]

    @property
    def labels(self) -> list[str]:
        """Every label that occurs, sorted; entity labels for tagging."""
        return sorted({label for example in self.examples for label in example.names})

    @property
    def paired(self) -> bool:
        """Whether its inputs are pairs."""
        return isinstance(self.examples[0].input, tuple)

    def counts(self) -> Counter[str]:
        """How many examples have each label; entities are counted one by one."""
        if self.kind == "tagging":
            return Counter(entity.label for example in self.examples for entity in example.entities)
        return Counter(label for example in self.examples for label in example.labels)

    def require(self, *kinds: Kind) -> None:
        """Refuse data of another kind than the task needs.

        Raises:
            InvalidInput: naming what was found and what is needed.
        """
        if self.kind not in kinds:
            raise InvalidInput(
                f"{self.name} has {WHAT[self.kind]}", hint=f"this task needs {' or '.join(WHAT[k] for k in kinds)}"
            )

    def subset(self, examples: Iterable[Example]) -> "Labelled":
        """The same file with other examples."""
        return replace(self, examples=tuple(examples))


def read_labelled(path: Path) -> Labelled:
    """Read and check a file: JSON Lines (`.jsonl`, `.json`) or CSV with a header (`.csv`).

    The kind is told from the fields and must be the same on every line: `label` (a text or a whole number; a list for
    multi-label), `score`, `entities`, or `answers` (SQuAD's object, a list of texts, or of `{"text", "answer_start"}`)
    or `answer`. `text_pair` makes a pair; `annotated` beside `entities` names the labels that were looked for in this
    text. Other fields are ignored.

    Raises:
        InvalidInput: a malformed line, an empty text, spans that overlap or lie outside of the text, an answer that is
            not in its context, lines of different kinds, or nothing to tell apart (one class, no entity, equal scores).
        StorageError: the file cannot be read.
    """
    kind, examples = _examples(path.name, _rows(path))
    data = _deduplicated(path.name, kind, examples)
    if kind == "tagging":
        if not data.counts():
            raise InvalidInput(f"{path.name} has no entity at all", hint="mark at least one span")
    elif kind != "question_answering" and len({_target(example) for example in data.examples}) < 2:
        what = "one score only" if kind == "regression" else "one class only"
        raise InvalidInput(f"{path.name} has {what}", hint="there is nothing to tell apart: add examples of another")
    return data


def _rows(path: Path) -> Rows:
    content = _content(path)
    rows = _csv_rows(content, path.name) if path.suffix == ".csv" else _json_rows(content, path.name)
    if not rows:
        raise InvalidInput(f"{path.name} has no examples", hint=_HINT)
    return rows


def _examples(name: str, rows: Rows) -> tuple[Kind, list[Example]]:
    kinds: list[Kind] = []
    examples: list[Example] = []
    for line, fields in rows:
        kind, example = _Line(name, line, fields).example()
        if kinds and (kind != kinds[0] or isinstance(example.input, tuple) != isinstance(examples[0].input, tuple)):
            raise InvalidInput(
                f"{name}, line {line}: not the same fields as on line {examples[0].line}",
                hint="all lines need one kind of label, and all or none a text_pair",
            )
        kinds.append(kind)
        examples.append(example)
    return kinds[0], examples


def _content(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")  # no translation of line ends: offsets are those of the file
    except UnicodeDecodeError:
        raise InvalidInput(f"{path.name} is not UTF-8", hint="convert it to UTF-8") from None
    except OSError as error:
        raise StorageError(f"cannot read {path.name}: {error.strerror}", hint="check the path") from error


def _json_rows(content: str, name: str) -> Rows:
    rows: Rows = []
    # Only line feeds end a line of JSON Lines: str.splitlines would also cut at U+2028, which JSON allows in a text.
    for number, line in enumerate(content.split("\n"), 1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError):
            raise InvalidInput(f"{name}, line {number}: not JSON", hint=_HINT) from None
        if not isinstance(fields, dict):
            raise InvalidInput(f"{name}, line {number}: not a JSON object", hint=_HINT)
        rows.append((number, fields))
    return rows


def _csv_rows(content: str, name: str) -> Rows:
    reader = csv.DictReader(io.StringIO(content, newline=""), strict=True)
    rows: Rows = []
    try:
        columns = set(reader.fieldnames or [])
        if "text" not in columns or len(columns & {"label", "score"}) != 1:
            raise InvalidInput(f"{name} has no header with text and label", hint="the first line is text,label")
        for fields in reader:
            if None in fields or None in fields.values():
                raise InvalidInput(
                    f"{name}, line {reader.line_num}: not as many columns as the header",
                    hint="quote texts that hold a comma or a line break",
                )
            rows.append((reader.line_num, fields))
    except csv.Error:
        raise InvalidInput(
            f"{name}, line {reader.line_num}: not CSV", hint='quote with ", and double a quote inside of a text'
        ) from None
    return rows


class _Line:
    """One line's fields, checked."""

    def __init__(self, name: str, line: int, fields: Mapping[str, Any]) -> None:
        self.name = name
        self.line = line
        self.fields = fields

    def wrong(self, what: str, hint: str = _HINT) -> InvalidInput:
        return InvalidInput(f"{self.name}, line {self.line}: {what}", hint=hint)

    def example(self) -> tuple[Kind, Example]:
        given = [f for f in ("label", "score", "entities", "answers", "answer") if f in self.fields]
        if len(given) != 1:
            raise self.wrong("no label" if not given else "more than one kind of label")
        read: dict[str, Callable[[Any, Text], tuple[Kind, Example]]] = {
            "label": self._label,
            "score": self._score,
            "entities": self._entities,
            "answers": self._answers,
            "answer": self._answers,
        }
        return read[given[0]](self.fields[given[0]], self._input())

    def _input(self) -> Text:
        text = self._text(self.fields.get("text"), "text")
        pair = self.fields.get("text_pair")
        return text if pair is None else (text, self._text(pair, "text_pair"))

    def _text(self, value: object, field: str) -> str:
        if not isinstance(value, str):
            raise self.wrong(f"{field} is not a text")
        if not value.strip():
            raise self.wrong(f"{field} is empty", "remove the line, or fill it in")
        if not _is_unicode(value):
            raise self.wrong(
                f"{field} is not valid Unicode", "it has half of a surrogate pair: decode the source again"
            )
        return value

    def named(self, value: object) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise self.wrong("a label is neither a text nor a whole number", 'a number to predict is called "score"')
        name = str(value).strip()
        if not name or not _is_unicode(name):
            raise self.wrong("a label is empty or not valid Unicode", "remove the line, or fill it in")
        return name

    def _label(self, value: object, given: Text) -> tuple[Kind, Example]:
        if not isinstance(value, list):
            return "single_label", Example(self.line, given, labels=(self.named(value),))
        names = tuple(self.named(item) for item in value)
        if len(set(names)) != len(names):
            raise self.wrong("the same label twice", "name each label once")
        return "multi_label", Example(self.line, given, labels=names)

    def _score(self, value: object, given: Text) -> tuple[Kind, Example]:
        try:
            number = math.nan if isinstance(value, bool) or not isinstance(value, str | int | float) else float(value)
        except (ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            raise self.wrong("the score is not a finite number", 'a class is called "label"')
        return "regression", Example(self.line, given, score=number)

    def _entities(self, value: object, given: Text) -> tuple[Kind, Example]:
        text = given if isinstance(given, str) else given[0]
        if not isinstance(value, list):
            raise self.wrong("entities is not a list")
        found = sorted(self._entity(item, text) for item in value)
        for left, right in itertools.pairwise(found):
            if right.start < left.end:
                raise self.wrong("two entities overlap", "a tagger gives each character one label: keep one of them")
        return "tagging", Example(self.line, given, entities=tuple(found), annotated=self._annotated(found))

    def _annotated(self, found: Sequence[Entity]) -> tuple[str, ...] | None:
        value = self.fields.get("annotated")
        if value is None:
            return None
        if not isinstance(value, list):
            raise self.wrong("annotated is not a list of labels", 'write "annotated": ["PERSON", "LOCATION"]')
        names = tuple(sorted({self.named(item) for item in value}))
        if not {entity.label for entity in found} <= set(names):
            raise self.wrong("an entity has a label that is not among the annotated ones", "name it in annotated too")
        return names

    def _entity(self, item: object, text: str) -> Entity:
        if not isinstance(item, dict):
            raise self.wrong("an entity is not an object")
        start, end = item.get("start"), item.get("end")
        if not _is_count(start) or not _is_count(end):
            raise self.wrong("an entity's start or end is not a whole number")
        if not 0 <= start < end <= len(text):
            raise self.wrong(
                "an entity lies outside of the text, or is empty",
                "start and end count Unicode code points (Python's str), not bytes or UTF-16 units; end is exclusive",
            )
        while start < end and text[start].isspace():
            start += 1
        while start < end and text[end - 1].isspace():
            end -= 1
        if start == end:
            raise self.wrong("an entity covers white space only", "start and end count Unicode code points")
        return Entity(start, end, self.named(item.get("label")))

    def _answers(self, value: object, given: Text) -> tuple[Kind, Example]:
        if isinstance(given, str):
            raise self.wrong("answers without a text_pair", '"text" is the question, "text_pair" the context')
        starts: Sequence[object] = []
        if isinstance(value, dict):  # SQuAD as the datasets library has it
            texts, starts = value.get("text"), value.get("answer_start", [])
        elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            texts = [item.get("text") for item in value]
            starts = [item.get("answer_start", item.get("start")) for item in value]
        else:
            texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list) or not isinstance(starts, list) or len(starts) not in (0, len(texts)):
            raise self.wrong("answers is not a list of texts")
        if not texts:
            raise self.wrong(
                "no answer", "questions without an answer in their context are not supported: leave them out"
            )
        answers = [self._text(text, "an answer") for text in texts]
        for answer, start in zip(answers, starts or [None] * len(answers), strict=True):
            if start is not None and not _is_count(start):
                raise self.wrong("answer_start is not a whole number")
            found = (
                given[1].find(answer) >= 0 if start is None else given[1].startswith(answer, _index(start, given[1]))
            )
            if not found:
                raise self.wrong(
                    "an answer is not in its context, or not where it should be", "answer_start counts code points"
                )
        return "question_answering", Example(self.line, given, answers=tuple(dict.fromkeys(answers)))


def _index(start: object, text: str) -> int:
    """A start as `str.startswith` takes it: one outside of the text never matches."""
    return start if isinstance(start, int) and 0 <= start < len(text) else len(text) + 1


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _target(example: Example) -> object:
    return frozenset(example.labels), example.score, example.entities, example.annotated, frozenset(example.answers)


def _deduplicated(name: str, kind: Kind, examples: Sequence[Example]) -> Labelled:
    kept: dict[tuple[Text, object], Example] = {}
    for example in examples:
        kept.setdefault((example.input, _target(example)), example)
    times = Counter(text for text, _ in kept)
    repeated, contradictory = len(examples) - len(kept), sum(count > 1 for count in times.values())
    return Labelled(name, kind, tuple(kept.values()), repeated, contradictory)


def read_examples(path: Path) -> tuple[list[Example], Kind, dict[str, str]]:
    """Examples of a few-shot file, and descriptions of labels: lines `{"label", "description"}` without a text.

    Returns:
        Examples (there may be none), their kind (`single_label` or `multi_label`), and descriptions by label.

    Raises:
        InvalidInput: as `read_labelled`; a label described twice; fewer than two labels in all.
        StorageError: the file cannot be read.
    """
    described: dict[str, str] = {}
    rows = []
    for line, fields in _rows(path):
        if "description" not in fields or "text" in fields:
            rows.append((line, fields))
            continue
        row = _Line(path.name, line, fields)
        label, description = row.named(fields.get("label")), fields["description"]
        if not isinstance(description, str) or not description.strip() or not _is_unicode(description):
            raise row.wrong("description is not a text", _DESCRIPTION)
        if label in described:
            raise row.wrong("a label that was described before", _DESCRIPTION)
        described[label] = description
    kind, examples = _examples(path.name, rows) if rows else ("single_label", [])
    data = _deduplicated(path.name, kind, examples)
    data.require("single_label", "multi_label")
    if len(described.keys() | set(data.labels)) < 2:
        raise InvalidInput(f"{path.name} has one class only", hint="give examples or descriptions of another")
    return list(data.examples), kind, described
