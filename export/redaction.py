"""Redaction of data before anything else sees it: texts, and the spans that are marked in them."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .labelled import Entity, Example, Labelled, Text

if TYPE_CHECKING:
    from ..privacy import Redaction


@dataclass(frozen=True)
class Redacted:
    """What a redaction of data did, as counts.

    Attributes:
        replaced: replaced values by entity.
        dropped: examples of which nothing is left, and marked entities that have no text any more or whose replacement
            a neighbour has already.
    """

    replaced: Mapping[str, int]
    dropped: int = 0


class DataRedactor:
    """Redacts data as the service redacts requests: each text, and each text of a pair, on its own.

    Args:
        policy: name of a preset, or the path of a TOML file.

    Raises:
        PolicyError: the policy is not valid.
        MissingExtra: no redaction engine is installed.
    """

    def __init__(self, policy: str | os.PathLike[str]) -> None:
        from ..privacy import Redactor  # needs an extra that training without a policy does without

        self._redactor = Redactor(os.fspath(policy))
        self._counts: Counter[str] = Counter()
        self._dropped = 0

    @property
    def report(self) -> Redacted:
        """What was done so far."""
        return Redacted(dict(sorted(self._counts.items())), self._dropped)

    def text(self, text: str) -> str:
        """One text; raises `RedactionError` where a recognizer failed and the policy refuses."""
        return self._redact(text).text

    def input(self, item: Text) -> Text:
        """A text or a pair."""
        return self.text(item) if isinstance(item, str) else (self.text(item[0]), self.text(item[1]))

    def labelled(self, data: Labelled) -> Labelled:
        """Labelled data, with its entities and answers mapped to the redacted texts."""
        return data.subset(self.examples(data.examples))

    def examples(self, examples: Sequence[Example]) -> list[Example]:
        """Examples, without those of which nothing is left."""
        pairs = [(example, self.example(example)) for example in examples]
        kept = [
            after for before, after in pairs if not _is_blank(after.input) and (after.answers or not before.answers)
        ]
        self._dropped += len(pairs) - len(kept)
        return kept

    def example(self, example: Example) -> Example:
        """One example. An entity that touches a replaced value covers its whole replacement."""
        if isinstance(example.input, str):
            redaction = self._redact(example.input)
            return replace(example, input=redaction.text, entities=self._entities(example.entities, redaction))
        first, second = self._redact(example.input[0]), self._redact(example.input[1])
        return replace(
            example,
            input=(first.text, second.text),
            entities=self._entities(example.entities, first),
            answers=_answers(example.answers, example.input[1], second),
        )

    def _redact(self, text: str) -> "Redaction":
        redaction = self._redactor.redact(text)
        self._counts.update(redaction.counts)
        return redaction

    def _entities(self, entities: Sequence[Entity], redaction: "Redaction") -> tuple[Entity, ...]:
        kept: list[Entity] = []
        for entity in entities:
            start, end = redacted_span(redaction, entity.start, entity.end)
            if start == end or (kept and start < kept[-1].end):
                self._dropped += 1  # taken out by the policy, or inside of a replacement that its neighbour has already
            else:
                kept.append(Entity(start, end, entity.label))
        return tuple(kept)


def redacted_span(redaction: "Redaction", start: int, end: int) -> tuple[int, int]:
    """Where a span of the original lies in the redacted text; it covers every replacement it touches.

    The other direction of `Redaction.original_span`.
    """
    first, last = start, end
    shift = 0  # of the redacted text against the original, left of the span looked at
    for span in redaction.spans:
        at = span.start + shift
        shift += len(span.replacement) - (span.end - span.start)
        if span.end <= start:
            first = start + shift
        elif span.start <= start:
            first = at
        if span.end <= end:
            last = end + shift
        elif span.start < end:
            last = at + len(span.replacement)
    return first, last


def _answers(answers: Sequence[str], context: str, redaction: "Redaction") -> tuple[str, ...]:
    """Accepted answers as they stand in the redacted context, at their first place."""
    found = []
    for answer in answers:
        start = context.find(answer)
        first, last = redacted_span(redaction, start, start + len(answer))
        found.append(redaction.text[first:last])
    return tuple(dict.fromkeys(answer for answer in found if answer.strip()))


def _is_blank(item: Text) -> bool:
    return not (item if isinstance(item, str) else item[0]).strip()
