"""Traffic to monitor: real arrival times and texts, seeded clients, a stand-in classifier, and attacks in code.

DATA is a folder with `banking77/`, `clinc150/`, `span_restaurant8k/`, `pii_presidio_research/` and
`trace_azure_llm2023/` as their sources publish them (benchmarks/README.md names these).
"""

import csv
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path

import numpy as np

from cloister.privacy.monitoring import Observation, Outcome, Reader
from cloister.privacy.redact import Redactor

CLIENTS = 60
PERSONAL = 0.05
RETRIES = 0.03
REFUSED = 0.01
MODEL = "stand-in"


@dataclass(frozen=True)
class Request:
    """One request of one text, before it is redacted."""

    at: float
    client: str
    text: str
    refused: bool = False


class World:
    """Texts, classifier and redaction that all runs share.

    The classifier is a logistic regression on words and pairs of words, fitted on half of the training texts; traffic
    comes from the other half and the test texts, which it has not seen.
    """

    def __init__(self, data: Path) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import SGDClassifier
        from sklearn.pipeline import make_pipeline

        with (data / "banking77/train.csv").open(newline="") as file:
            banking = [(row["text"], row["category"]) for row in csv.DictReader(file)]
        with (data / "banking77/test.csv").open(newline="") as file:
            banking_test = [(row["text"], row["category"]) for row in csv.DictReader(file)]
        clinc = json.loads((data / "clinc150/data_full.json").read_text("utf-8"))
        turns = json.loads((data / "span_restaurant8k/train_0.json").read_text("utf-8"))
        self.other = [turn["userInput"]["text"] for turn in turns]
        lines = (data / "pii_presidio_research/split_shared.jsonl").read_text("utf-8").splitlines()
        self.redactor = Redactor("identifiers", tagger=None)
        self.personal = [t for t in (json.loads(line)["full_text"] for line in lines) if self.redact(t)[1]]
        fitted = banking[::2] + [(t, c) for t, c in clinc["train"][::2]]
        self.pool = [*banking[1::2], *banking_test, *((t, c) for t, c in clinc["train"][1::2] + clinc["test"])]
        self.by_intent: dict[str, list[str]] = {}
        for text, intent in self.pool:
            self.by_intent.setdefault(intent, []).append(text)
        self.classifier = make_pipeline(
            TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
            SGDClassifier(loss="log_loss", alpha=2e-6, max_iter=30, random_state=0),
        )
        self.classifier.fit([t for t, _ in fitted], [c for _, c in fitted])
        with (data / "trace_azure_llm2023/AzureLLMInferenceTrace_conv.csv").open(newline="") as file:
            stamps = [datetime.fromisoformat(row["TIMESTAMP"][:26]).timestamp() for row in csv.DictReader(file)]
        self.arrivals = [at - stamps[0] for at in stamps]
        self._answers: dict[str, Outcome] = {}
        self._redacted: dict[str, tuple[str, int]] = {}

    @cached_property
    def words(self) -> list[str]:
        """Words to put into texts."""
        return sorted({word for text, _ in self.pool for word in text.split()})

    def redact(self, text: str) -> tuple[str, int]:
        """A text as the model sees it, and how many values were replaced."""
        done = self.redactor.redact(text, "en")
        return done.text, len(done.spans)

    def answer(self, texts: Sequence[str]) -> list[Outcome]:
        """Label, probability and margin of each text."""
        new = [t for t in dict.fromkeys(texts) if t not in self._answers]
        if new:
            scores = self.classifier.predict_proba(new)
            order = np.argsort(scores, axis=1)
            names = self.classifier.classes_
            for text, row, best in zip(new, scores, order, strict=True):
                top, second = float(row[best[-1]]), float(row[best[-2]])
                self._answers[text] = Outcome((str(names[best[-1]]),), top, top - second)
        return [self._answers[t] for t in texts]

    def observations(self, requests: Sequence[Request], reader: Reader) -> list[Observation]:
        """What the monitor sees of requests."""
        for request in requests:
            if request.text not in self._redacted:
                self._redacted[request.text] = self.redact(request.text)
        texts = [self._redacted[request.text] for request in requests]
        answers = self.answer([text for text, _ in texts])
        return [
            Observation(
                client=request.client,
                at=request.at,
                time=request.at,
                model=MODEL,
                inputs=1,
                entities=entities,
                refused=request.refused,
                texts=reader.read([text]).texts,
                outcomes=() if request.refused else (answer,),
            )
            for request, (text, entities), answer in zip(requests, texts, answers, strict=True)
        ]


def background(world: World, seed: int) -> list[Request]:
    """The trace's arrivals, each by one of the clients: few of them send most (Zipf). A client asks half of the time
    about 20 intents of its own, now and then sends a text again, or one with personal data, or is refused."""
    rng = random.Random(seed)
    intents = sorted(world.by_intent)
    favourites = [rng.sample(intents, 20) for _ in range(CLIENTS)]
    weights = [1 / (rank + 1) for rank in range(CLIENTS)]
    order = rng.sample(range(CLIENTS), CLIENTS)
    last: dict[int, str] = {}
    found = []
    for at, rank in zip(world.arrivals, rng.choices(range(CLIENTS), weights, k=len(world.arrivals)), strict=True):
        client = order[rank]
        drawn = rng.random()
        if drawn < RETRIES and client in last:
            text = last[client]
        elif drawn < RETRIES + PERSONAL:
            text = rng.choice(world.personal)
        elif rng.random() < 0.5:
            text = rng.choice(world.by_intent[rng.choice(favourites[client])])
        else:
            text = rng.choice(world.pool)[0]
        last[client] = text
        found.append(Request(at, f"client-{client}", text, rng.random() < REFUSED))
    return found


def mutated(text: str, words: Sequence[str], rng: random.Random) -> str:
    """A text with one word replaced, removed or added, or one letter changed."""
    parts = text.split()
    at, kind = rng.randrange(len(parts)), rng.random()
    if kind < 0.4:
        parts[at] = rng.choice(words)
    elif kind < 0.6 and len(parts) > 3:
        del parts[at]
    elif kind < 0.8:
        parts.insert(at, rng.choice(words))
    else:
        place = rng.randrange(len(text))
        return text[:place] + rng.choice("abcdefghijklmnopqrstuvwxyz") + text[place + 1 :]
    return " ".join(parts)


def variants(world: World, rng: random.Random, count: int) -> list[str]:
    """Extraction by near-duplicates: random changes of 1 to 20 texts."""
    seeds = [text for text, _ in rng.sample(world.pool, rng.choice([1, 3, 10, 20])) if len(text.split()) >= 3]
    return [mutated(rng.choice(seeds or ["where is my new card now"]), world.words, rng) for _ in range(count)]


def margin_of(outcome: Outcome) -> float:
    """The margin that `World.answer` computed."""
    assert isinstance(outcome.margin, float)
    return outcome.margin


def walks(world: World, rng: random.Random, count: int) -> list[str]:
    """Extraction by walking along decision boundaries: from a text of one label towards one of another, word by word,
    then changes of the text with the smallest margin, keeping what makes it smaller."""
    sent: list[str] = []
    while len(sent) < count:
        (first, a), (second, b) = rng.sample(world.pool, 2)
        if a == b or min(len(first.split()), len(second.split())) < 5:
            continue
        source, target = first.split(), second.split()
        path = [" ".join(target[:i] + source[i:]) for i in range(min(len(source), len(target)))]
        sent += path
        margins = [margin_of(outcome) for outcome in world.answer(path)]
        nearest = min(range(len(path)), key=margins.__getitem__)
        current, least = path[nearest], margins[nearest]
        for _ in range(15):
            step = mutated(current, world.words, rng)
            margin = margin_of(world.answer([step])[0])
            sent.append(step)
            if margin < least:
                current, least = step, margin
    return sent[:count]


def attacker(seed: int) -> str:
    """Who attacks, where one client does."""
    return "client-7" if seed % 2 else "newcomer"


def by_one_client(
    world: World, normal: Sequence[Request], seed: int, texts: Sequence[str], rate: float
) -> Iterator[tuple[bool, Request]]:
    """Normal traffic, and from its first request on `texts` at `rate` a second by one client: a new one, or for odd
    seeds one that is known."""
    name = attacker(seed)
    times = [normal[0].at + (i + 1) / rate for i in range(len(texts))]
    mixed = [(r.at, 0, i, False, r) for i, r in enumerate(normal)]
    mixed += [(at, 1, i, True, Request(at, name, text)) for i, (at, text) in enumerate(zip(times, texts, strict=True))]
    for _, _, _, attack, request in sorted(mixed, key=lambda x: x[:3]):
        yield attack, request


def attack(world: World, kind: str, normal: Sequence[Request], seed: int, count: int) -> Iterator[tuple[bool, Request]]:
    """An attack from the first of the normal requests on: (belongs to it, request). `count` requests of it.

    extraction: near-duplicates or boundary walks, 1 to 5 a second.
    burst: texts of the pool, 15 to 100 a second.
    leak: four of five texts with personal data, 1 to 5 a second, by one client; every third seed by all clients.
    drift: six of ten texts of everybody come from another domain, or from ten intents.
    """
    rng = random.Random(seed * 7919 + 1)
    if kind == "extraction":
        texts = (walks if rng.random() < 0.5 else variants)(world, rng, count)
        yield from by_one_client(world, normal, seed, texts, rng.uniform(1, 5))
    elif kind == "burst":
        texts = [text for text, _ in rng.sample(world.pool, count)]
        yield from by_one_client(world, normal, seed, texts, rng.uniform(15, 100))
    elif kind == "leak" and seed % 3:
        texts = [rng.choice(world.personal if rng.random() < 0.8 else world.other) for _ in range(count)]
        yield from by_one_client(world, normal, seed, texts, rng.uniform(1, 5))
    elif kind == "leak":
        for request in normal[:count]:
            yield True, replace(request, text=rng.choice(world.personal)) if rng.random() < 0.6 else request
    elif kind == "drift":
        narrow = rng.sample(sorted(world.by_intent), 10)
        others = world.other if rng.random() < 0.5 else [t for intent in narrow for t in world.by_intent[intent]]
        for request in normal[:count]:
            yield True, replace(request, text=rng.choice(others)) if rng.random() < 0.6 else request
    else:
        raise ValueError(kind)
