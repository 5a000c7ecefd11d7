"""Texts that the small writer learns from, and those that it never sees; intents as questions with labels.

A folder holds the public data sets that benchmarks/README.md names.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.training.sets import banking77, clinc150
from cloister.runtime.choice import as_chat
from cloister.runtime.generation import Message

CHOICES = 10
_HELD_PARAGRAPHS = 40


@dataclass(frozen=True, repr=False)
class Question:
    """A text with labels to choose from and the right one."""

    text: str
    labels: list[str]
    label: str

    @property
    def messages(self) -> list[Message]:
        return [*as_chat(self.text, self.labels), Message("assistant", self.label)]


def plain(data: Path) -> list[str]:
    """Texts to go on with: paragraphs, customers' questions, dialogue, sentences and tweets."""
    intents = [row["text"] for row in [*banking77(data, "train"), *clinc150(data, "train")]]
    turns = json.loads((data / "span_restaurant8k" / "train_0.json").read_text("utf-8"))
    shared = (data / "pii_presidio_research" / "split_shared.jsonl").read_text("utf-8").splitlines()
    sentences = [json.loads(line)["full_text"] for line in shared]
    columns = [("ner_en_secfilings", "*.txt"), ("ner_en_btc", "*.conll"), ("ner_en_wnut17", "*train*.conll")]
    words = [t for folder, names in columns for path in sorted((data / folder).glob(names)) for t in _words(path)]
    return [
        *paragraphs(data)[:-_HELD_PARAGRAPHS],
        *intents,
        *(t["userInput"]["text"] for t in turns),
        *sentences,
        *words,
    ]


def paragraphs(data: Path) -> list[str]:
    """Paragraphs of articles; the last of them are held out."""
    articles = json.loads((data / "xquad" / "xquad.en.json").read_text("utf-8"))["data"]
    return [paragraph["context"] for article in articles for paragraph in article["paragraphs"]]


def held_out(data: Path) -> list[str]:
    """Paragraphs and questions that are in nothing the writer learns from."""
    return [*paragraphs(data)[-_HELD_PARAGRAPHS:], *(row["text"] for row in clinc150(data, "test")[::50])]


def questions(data: Path, split: str, seed: int) -> list[Question]:
    """Texts of both sets of intents, in a drawn order; beside the right label nine drawn ones of the same set."""
    chance = random.Random(seed)
    found = []
    for rows in (banking77(data, split), clinc150(data, split)):
        readable = [(row["text"], row["label"].replace("_", " ").lower()) for row in rows]
        names = sorted({label for _, label in readable})
        for text, label in readable:
            labels = [label, *chance.sample([n for n in names if n != label], CHOICES - 1)]
            chance.shuffle(labels)
            found.append(Question(text, labels, label))
    chance.shuffle(found)
    return found


def _words(path: Path) -> Iterator[str]:
    line: list[str] = []
    for raw in [*path.read_text("utf-8", errors="replace").splitlines(), ""]:
        parts = raw.split()
        if parts and parts[0] != "-DOCSTART-":
            line.append(parts[0])
        elif line:
            yield " ".join(line)
            line = []
