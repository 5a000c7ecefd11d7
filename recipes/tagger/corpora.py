"""The annotated English corpora, in one format, with one set of labels, each in three parts that share no source.

What a corpus does not annotate is not taught as "nothing": `annotated` says what was looked for in a text.
`python -m recipes.tagger.corpora DATA OUT` writes a file for each corpus and part.
"""

import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Part = Literal["train", "choice", "test"]
PARTS: tuple[Part, ...] = ("train", "choice", "test")
Span = tuple[int, int, str]

WNUT17 = {
    "person": "PERSON",
    "location": "LOCATION",
    "corporation": "ORGANIZATION",
    "group": "ORGANIZATION",  # bands, teams, agencies: what other corpora call organizations
}
BTC = {"PER": "PERSON", "LOC": "LOCATION", "ORG": "ORGANIZATION"}
SEC = {"LOC": "LOCATION", "ORG": "ORGANIZATION"}  # its PER is nearly always the word Borrower or Lender
RESTAURANT8K = {"first_name": "PERSON", "last_name": "PERSON", "date": "DATE_TIME", "time": "DATE_TIME"}
PRESIDIO = {
    "PERSON": "PERSON",
    "STREET_ADDRESS": "ADDRESS",
    "ADDRESS": "ADDRESS",
    "GPE": "LOCATION",
    "LOCATION": "LOCATION",
    "ORGANIZATION": "ORGANIZATION",
    "DATE_TIME": "DATE_TIME",
    "NRP": "NRP",
    "TITLE": "TITLE",
}
_ALWAYS_IN_PRESIDIO = ("ADDRESS", "PERSON")
"""Its templates spell out places, companies and dates that are not marked, so those count only where some are."""

HELD_OUT = Path(__file__).with_name("heldout_templates_presidio.json")


@dataclass(frozen=True)
class Text:
    """A text with its entities (code points, end exclusive), and the labels that were looked for in it."""

    text: str
    entities: tuple[Span, ...]
    annotated: tuple[str, ...]
    part: Part
    corpus: str

    def line(self) -> str:
        """As a line of labelled data."""
        entities = [{"start": start, "end": end, "label": label} for start, end, label in self.entities]
        fields = {"text": self.text, "entities": entities, "annotated": list(self.annotated), "corpus": self.corpus}
        return json.dumps(fields, ensure_ascii=False)


def share(text: str) -> float:
    """A number from 0 to 1 that depends on the text alone: which part it belongs to."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64


_NO_SPACE_BEFORE = re.compile(r"[.,!?;:%)\]}…]+|'(?:s|m|re|ve|ll|d|t)|n't|’(?:s|m|re|ve|ll|d|t)", re.IGNORECASE)
_NO_SPACE_AFTER = re.compile(r"[(\[{$£€]")


def join(words: Sequence[str], tags: Sequence[str], labels: dict[str, str]) -> tuple[str, list[Span]]:
    """A text as one would write it from words and their BIO tags (`O`, `B-X`, `I-X`; IOB1 too), and its spans."""
    text, spans = "", []
    current: Span | None = None
    for word, tag in zip(words, tags, strict=True):
        if text and not _NO_SPACE_BEFORE.fullmatch(word) and not _NO_SPACE_AFTER.fullmatch(text[-1]):
            text += " "
        start, text = len(text), text + word
        prefix, _, kind = tag.partition("-")
        label = labels.get(kind)
        if current is not None and label == current[2] and prefix == "I":
            current = current[0], len(text), current[2]
            continue
        if current is not None:
            spans.append(current)
        current = None if label is None else (start, len(text), label)
    if current is not None:
        spans.append(current)
    return text, spans


def conll(path: Path) -> Iterator[tuple[int, list[str], list[str]]]:
    """Sentences of a file: number of the document, words, tags (the last column)."""
    words: list[str] = []
    tags: list[str] = []
    document = 0
    for line in [*path.read_text("utf-8").split("\n"), ""]:
        columns = line.split()
        if line.startswith("-DOCSTART-"):
            document += 1
        elif columns:
            words.append(columns[0] if len(columns) > 1 else "�")
            tags.append(columns[-1])
        elif words:
            yield document, words, tags
            words, tags = [], []


def _by_hash(text: str, choice: float, test: float) -> Part:
    at = share(text)
    return "test" if at < test else "choice" if at < test + choice else "train"


def wnut17(data: Path) -> Iterator[Text]:
    """Noisy user texts. The training file teaches; of the other one half is for choices, half for the figure."""
    for name, teaches in (("wnut17train.conll", True), ("emerging.dev.conll", False)):
        for _, words, tags in conll(data / "ner_en_wnut17" / name):
            text, spans = join(words, tags, WNUT17)
            part: Part = "train" if teaches else _by_hash(text, 0.5, 0.5)
            yield Text(text, tuple(spans), tuple(sorted(set(WNUT17.values()))), part, "wnut17")


def btc(data: Path) -> Iterator[Text]:
    """Tweets."""
    for name in ("a", "b", "e"):
        for _, words, tags in conll(data / "ner_en_btc" / f"{name}.conll"):
            text, spans = join(words, tags, BTC)
            yield Text(text, tuple(spans), tuple(sorted(BTC.values())), _by_hash(text, 0.05, 0.2), "btc")


def sec(data: Path) -> Iterator[Text]:
    """Loan agreements; a document belongs to one part."""
    for document, words, tags in conll(data / "ner_en_secfilings" / "FIN5.txt"):
        text, spans = join(words, tags, SEC)
        part: Part = "test" if document == 3 else "train"
        yield Text(text, tuple(spans), tuple(sorted(SEC.values())), part, "sec")


def restaurant8k(data: Path) -> Iterator[Text]:
    """Turns of callers who book a table; first and last name side by side are one person."""
    for turn in json.loads((data / "span_restaurant8k" / "train_0.json").read_text("utf-8")):
        text = turn["userInput"]["text"]
        found: list[Span] = sorted(
            (slot["valueSpan"].get("startIndex", 0), slot["valueSpan"]["endIndex"], RESTAURANT8K[slot["slot"]])
            for slot in turn.get("labels", ())
            if slot["slot"] in RESTAURANT8K
        )
        spans: list[Span] = []
        for start, end, label in found:
            if spans and label == "PERSON" == spans[-1][2] and text[spans[-1][1] : start].strip() == "":
                spans[-1] = spans[-1][0], end, label
            elif not spans or start >= spans[-1][1]:
                spans.append((start, end, label))
        if text.strip():
            yield Text(text, tuple(spans), ("DATE_TIME", "PERSON"), _by_hash(text, 0.05, 0.05), "restaurant8k")


def all_personal_data(data: Path) -> Iterator[str]:
    """Sentences of the held-out templates with every span that the set marks, as JSON lines."""
    held = set(json.loads(HELD_OUT.read_text("utf-8"))["test"])
    for row in _lines(data / "pii_presidio_research" / "split_shared.jsonl"):
        if template(row["masked"]) in held:
            spans = [{"start": s["start_position"], "end": s["end_position"]} for s in row["spans"]]
            yield json.dumps({"text": row["full_text"], "spans": spans}, ensure_ascii=False)


_ALIASES = {"street_address": "address", "gpe": "location"}


def template(masked: str) -> str:
    """Name of the template of a sentence: the same in both of the set's vocabularies."""
    slots = re.sub(r"\{\{(\w+)\}\}", lambda m: f"{{{_ALIASES.get(m[1].lower(), m[1].lower())}}}", masked)
    return hashlib.sha256(" ".join(slots.split()).encode()).hexdigest()[:12]


def presidio(data: Path) -> Iterator[Text]:
    """Sentences made from templates; a template belongs to one part, by the committed list."""
    held: dict[str, list[str]] = json.loads(HELD_OUT.read_text("utf-8"))
    part_of: dict[str, Part] = {name: part for part in PARTS for name in held.get(part, ())}
    for row in _lines(data / "pii_presidio_research" / "split_shared.jsonl"):
        spans: list[Span] = sorted(
            (s["start_position"], s["end_position"], PRESIDIO[s["entity_type"]])
            for s in row["spans"]
            if s["entity_type"] in PRESIDIO
        )
        annotated = sorted({*_ALWAYS_IN_PRESIDIO, *(label for _, _, label in spans)})
        part = part_of.get(template(row["masked"]), "train")
        yield Text(row["full_text"], tuple(_apart(spans)), tuple(annotated), part, "presidio")


def _apart(spans: Iterable[Span]) -> Iterator[Span]:
    last = 0
    for span in spans:
        if span[0] >= last:
            last = span[1]
            yield span


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text("utf-8").split("\n"):
        if line.strip():
            yield json.loads(line)


CORPORA: dict[str, Callable[[Path], Iterator[Text]]] = {
    "wnut17": wnut17,
    "btc": btc,
    "sec": sec,
    "restaurant8k": restaurant8k,
    "presidio": presidio,
}


def write(data: Path, out: Path) -> None:
    """Write every corpus's parts, and say how large they are."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "presidio-all-test.jsonl").write_text("".join(line + "\n" for line in all_personal_data(data)), "utf-8")
    for name, read in CORPORA.items():
        texts = list(read(data))
        for part in PARTS:
            lines = [text.line() for text in texts if text.part == part]
            (out / f"{name}-{part}.jsonl").write_text("".join(line + "\n" for line in lines), "utf-8")
        print(name, {part: sum(text.part == part for text in texts) for part in PARTS})


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
