"""Tools that find personal data without a model, each as texts in, character ranges out."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

Find = Callable[[str], Iterable[tuple[int, int]]]


class Finder:
    modes = ("default",)
    split = False

    def __init__(self, tool: str) -> None:
        self.tool = tool

    def prepare(self, model: Path, work: Path, threads: int) -> None:
        self.find = {
            "cloister": cloister, "presidio": presidio, "scrubadub": scrubadub, "datafog": datafog,
            "commonregex": commonregex,
        }[self.tool]()  # fmt: skip

    def texts(self, texts: list[str]) -> None:
        self._texts = texts

    def run(self, mode: str) -> None:
        raise NotImplementedError("there is no tokenization to leave out")

    def whole(self, mode: str) -> None:
        for text in self._texts:
            list(self.find(text))

    def spans(self) -> list[list[tuple[int, int]]]:
        return [sorted(set(self.find(text))) for text in self._texts]


def cloister() -> Find:
    """Every pattern, no tagger."""
    from cloister.privacy import Policy, Redactor

    redactor = Redactor(Policy.parse('name = "everything"\ndefault = "replace"'), tagger=None)
    redactor.prepare()
    return lambda text: [(s.start, s.end) for s in redactor.redact(text, "en").spans]


def presidio() -> Find:
    """English pattern recognizers without a language model; results under 0.4, which it calls weak, left out."""
    from benchmarks.redaction.peers import presidio as patterns

    analyze = patterns()
    return lambda text: [(r.start, r.end) for r in analyze(text) if r.score >= 0.4]


def scrubadub() -> Find:
    """Its default detectors, none of which finds names."""
    import scrubadub as tool

    scrubber = tool.Scrubber()
    return lambda text: [(f.beg, f.end) for f in scrubber.iter_filth(text)]


def datafog() -> Find:
    """Its regular expressions, which need no model."""
    from datafog.services.text_service import TextService

    service = TextService(engine="regex")
    return lambda text: [(s.start, s.end) for s in service.annotate_text_sync(text, structured=True)]


def commonregex() -> Find:
    """Every expression but times and prices, which are no personal data; it gives strings, which are looked up."""
    from commonregex import CommonRegex

    kinds = ("dates", "phones", "links", "emails", "ips", "ipv6s", "credit_cards", "btc_addresses", "street_addresses")

    def find(text: str) -> Iterable[tuple[int, int]]:
        parsed = CommonRegex(text)
        for kind in kinds:
            for value in {v for v in getattr(parsed, kind, []) if isinstance(v, str) and v}:
                yield from ((m.start(), m.end()) for m in re.finditer(re.escape(value), text))

    return find


def make(**options: Any) -> Finder:
    return Finder(**options)
