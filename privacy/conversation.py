"""The texts of one request to a language model, redacted together, and the way of its answer back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

import regex

from .detector import Detector
from .output import OutputScan
from .spans import Span
from .vault import RestoreStream, Vault

__all__ = ["Conversation"]

# A value of fewer letters and digits found in one text is too short to be looked for in the others.
_LEAST = 4


class Conversation:
    """Made by `Redactor.redact_together`. Its `repr` shows no content.

    Attributes:
        texts: the redacted texts, in order.
        counts: number of replaced values by entity.
    """

    def __init__(
        self,
        detector: Detector,
        vault: Vault,
        originals: tuple[str, ...],
        redacted: Sequence[str],
        spans: Sequence[Sequence[Span]],
    ) -> None:
        self._detector = detector
        self._vault = vault
        self._originals = originals
        self.counts: Counter[str] = Counter(span.entity for one in spans for span in one)
        self.texts: tuple[str, ...] = tuple(self._everywhere(redacted, spans))

    def __repr__(self) -> str:
        return f"Conversation({len(self.texts)} texts, {self.counts.total()} values)"

    def _everywhere(self, redacted: Sequence[str], spans: Sequence[Sequence[Span]]) -> Sequence[str]:
        """Replace what one text showed to be a value in the texts that did not show it."""
        known: dict[str, Span] = {}
        for original, found in zip(self._originals, spans, strict=True):
            for span in found:
                value = original[span.start : span.end]
                if sum(map(str.isalnum, value)) >= _LEAST:
                    known.setdefault(value, span)
        if not known or len(redacted) < 2:
            return redacted
        values = "|".join(regex.escape(value) for value in sorted(known, key=len, reverse=True))
        # Han characters stand beside a value without being part of it.
        expression = regex.compile(rf"(?<![0-9A-Za-z_])(?:{values})(?![0-9A-Za-z_])")

        def replacement(match: regex.Match[str]) -> str:
            span = known[match.group()]
            self.counts[span.entity] += 1
            return span.replacement

        return [expression.sub(replacement, text) for text in redacted]

    def restoring(self, *, in_json: bool = False) -> RestoreStream:
        """Puts the values back into an answer that arrives in pieces.

        Args:
            in_json: the answer is a JSON document, in whose strings values are written escaped.
        """
        return self._vault.restoring(_escaped) if in_json else self._vault.restoring()

    def scan(self) -> OutputScan:
        """Looks for values in an answer that were in none of the texts; for one answer, before it is restored."""
        return OutputScan(self._detector, self._vault.placeholders, self._originals)


def _escaped(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)[1:-1]
