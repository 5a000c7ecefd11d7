"""What is looked for in a window, and with what: patterns, deny list, tagger; and what of it counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import regex

from .. import DeadlineExceeded, Overloaded, Unavailable
from .policy import Policy
from .scan import Candidate, Limits, RedactionError, Scanner
from .text import folded

__all__ = ["Detector", "TaggedSpan", "Tagger"]


class TaggedSpan(Protocol):
    """A labelled range of code points [start, end) with a score from 0 to 1."""

    @property
    def start(self) -> int:
        """First code point."""
        ...

    @property
    def end(self) -> int:
        """One past the last code point."""
        ...

    @property
    def label(self) -> str:
        """Label as the model names it."""
        ...

    @property
    def score(self) -> float:
        """Confidence from 0 to 1."""
        ...


class Tagger(Protocol):
    """A named-entity model: texts in, labelled spans out, one list for each text, offsets in code points of it."""

    def __call__(self, texts: list[str], /) -> Sequence[Sequence[TaggedSpan]]:
        """Spans of every text, in the order of the texts."""
        ...


class Detector:
    """What is looked for, and with what; shared by the streams of one redactor, safe for threads."""

    def __init__(self, policy: Policy, scanner: Scanner, entities: frozenset[str], tagger: Tagger | None) -> None:
        self.policy = policy
        self.scanner = scanner
        self.entities = entities
        self.tagger = tagger
        self.denied = _denied(policy)
        self._limits = Limits(
            min([policy.default.threshold, *(rule.threshold for rule in policy.rules.values())]),
            _final(policy, entities),
            policy.bounds.seconds,
        )
        self._allowed = [regex.compile(pattern) for pattern in policy.allow_patterns]

    def quiet(self, text: str) -> bool:
        """Whether nothing can be found in `text` or any part of it, without a tagger."""
        try:
            return self.scanner.quiet(text) and (self.denied is None or self.denied.search(folded(text)) is None)
        except Exception:  # noqa: BLE001 - what cannot be asked is not quiet; the search itself then fails, and closes
            return False

    def tag(self, texts: list[str]) -> Sequence[Sequence[TaggedSpan]]:
        """The tagger's spans; failures of the tagger close.

        Raises:
            RedactionError: the tagger failed.
            Overloaded, DeadlineExceeded, Unavailable: it had no room or no time for the texts. Nothing is wrong with
                it, so these stay what they are; no policy lets a text pass for them.
        """
        if self.tagger is None or not texts:
            return [[] for _ in texts]
        try:
            tagged = self.tagger(texts)
        except (Overloaded, DeadlineExceeded, Unavailable):
            raise
        except Exception as error:  # noqa: BLE001 - whatever a plugged-in model raises, no text may pass
            raise RedactionError(
                f"The tagger failed with {type(error).__name__}.",
                hint="Check the tagger, or use patterns only (tagger=None).",
            ) from None
        if len(tagged) != len(texts):
            raise RedactionError("The tagger answered for another number of texts.", hint="Check the tagger.")
        return tagged

    def candidates(self, window: str, owned: tuple[int, int], language: str) -> list[Candidate]:
        """Pattern and deny-list candidates of a window, allow list and thresholds not yet applied."""
        found = self.scanner.find(window, owned, self.entities, language, self._limits)
        if self.denied is not None:
            for match in self.denied.finditer(window):
                entity = self._deny_entity(match)
                found.append(Candidate(match.start(), match.end(), entity, 1.0, "deny"))
        return found

    def _deny_entity(self, match: Any) -> str:
        return next(entity for index, entity in enumerate(self.policy.deny) if match.group(f"d{index}") is not None)

    def counts(self, candidate: Candidate, value: str, language: str) -> bool:
        """Whether the policy acts on a candidate."""
        rule = self.policy.rule(candidate.entity, language)
        if rule.action == "keep" or candidate.score < rule.threshold:
            return False
        if not self.policy.allow and not self._allowed:
            return True
        plain = folded(value)
        if plain.casefold() in self.policy.allow:
            return False
        try:
            return not any(pattern.fullmatch(plain, timeout=self._limits.seconds) for pattern in self._allowed)
        except TimeoutError:
            raise RedactionError(
                "A pattern of the allow list took too long.",
                hint="Make it simpler; the text was refused.",
                code="redaction_timeout",
            ) from None


def _final(policy: Policy, entities: frozenset[str]) -> dict[str, float]:
    """By entity, the score from which on a candidate is sure to be acted upon, whatever the language."""
    if policy.allow or policy.allow_patterns:
        return {}
    both = {entity: [policy.rule(entity, language) for language in ("en", "zh")] for entity in entities}
    return {
        entity: max(rule.threshold for rule in rules)
        for entity, rules in both.items()
        if all(rule.action != "keep" for rule in rules)
    }


def _denied(policy: Policy) -> Any:
    if not policy.deny:
        return None
    parts = []
    for index, words in enumerate(policy.deny.values()):
        alternatives = "|".join(regex.escape(word) for word in sorted(words, key=len, reverse=True))
        parts.append(f"(?P<d{index}>{alternatives})")
    return regex.compile("|".join(parts), regex.IGNORECASE)
