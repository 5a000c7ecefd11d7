"""What stands before and behind the model in every request: personal data out, results back in terms of the original.

The service asks a `Guard` before anything else sees a text. When it raises, no text goes further.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from ..privacy.redact import Redaction, Redactor
from .results import Answer, Entity, Filling, Mask, Prediction, Tagging

LANGUAGES = ("auto", "en", "zh")


@dataclass(frozen=True)
class Replaced:
    """A span of the original that was replaced; offsets in code points. No content but the replacement."""

    start: int
    end: int
    entity: str
    score: float
    replacement: str


class Guarded(Protocol):
    """One text as the guard let it through."""

    @property
    def text(self) -> str:
        """What goes on, and all that the model sees."""
        ...

    @property
    def counts(self) -> Mapping[str, int]:
        """How many values of each entity were replaced."""
        ...

    @property
    def spans(self) -> Sequence[Replaced]:
        """What was replaced."""
        ...

    def original(self, start: int, end: int) -> tuple[int, int, str]:
        """A span of `text` as start, end and text of the original."""
        ...


class Restoring(Protocol):
    """Puts what was replaced back into a text that comes in pieces."""

    def feed(self, chunk: str, /) -> str:
        """Text that no further piece can change."""
        ...

    def close(self) -> str:
        """What was held back."""
        ...


class Scanning(Restoring, Protocol):
    """Looks at what a model writes; see `privacy.output.OutputScan`."""

    counts: Counter[str]
    stopped: bool
    masked: list[tuple[int, int]]
    decided: int

    def waits(self, piece: str = "") -> bool:
        """Whether `feed(piece)`, or `close()` where there is none, runs a model."""
        ...


class GuardedConversation(Protocol):
    """The texts of one request to a model that writes text, as the guard let them through."""

    @property
    def texts(self) -> Sequence[str]:
        """What goes on, and all that the model sees."""
        ...

    @property
    def counts(self) -> Mapping[str, int]:
        """How many values of each entity were replaced."""
        ...

    def restoring(self, *, in_json: bool = False) -> Restoring:
        """The way back for one answer."""
        ...

    def scan(self) -> Scanning | None:
        """What looks at one answer before it is restored; None where nothing does."""
        ...


class Guard(Protocol):
    """Lets texts through, changed where a policy says so. Safe to call from threads.

    Attributes:
        name: of its policy; shown at the start.
        digest: of its policy; goes into audit records.
        slow: whether a text costs a model's run, so that it does not belong on the event loop, and texts are better
            let through together.
        notice: what the policy asks for and nothing here finds; empty when there is nothing to say.
    """

    name: str
    digest: str
    slow: bool
    notice: str

    def admit(self, text: str, language: str = "auto") -> Guarded:
        """One text. Raises a `CloisterError` where it cannot be sure: then nothing goes on."""
        ...

    def admit_all(self, texts: Sequence[str], language: str = "auto") -> Sequence[Guarded]:
        """Several texts: as `admit` of each, all or none. A service asks this of a guard that is slow."""
        ...

    def converse(self, texts: Sequence[str]) -> GuardedConversation:
        """Texts that a model answers in words: what they have in common is replaced alike. Raises as `admit`."""
        ...


@dataclass(frozen=True, repr=False)
class _Unchanged:
    text: str
    counts: Mapping[str, int]
    spans: Sequence[Replaced] = ()

    def original(self, start: int, end: int) -> tuple[int, int, str]:
        return start, end, self.text[start:end]


class _Through:
    def feed(self, chunk: str) -> str:
        return chunk

    def close(self) -> str:
        return ""


@dataclass(frozen=True, repr=False)
class _OpenConversation:
    texts: Sequence[str]
    counts: Mapping[str, int]

    def restoring(self, *, in_json: bool = False) -> Restoring:
        return _Through()

    def scan(self) -> Scanning | None:
        return None


class OpenGuard:
    """Lets everything through as it is: `--policy off`."""

    name = "off"
    digest = ""
    slow = False
    notice = ""

    def admit(self, text: str, language: str = "auto") -> Guarded:
        """The text itself."""
        return _Unchanged(text, {})

    def admit_all(self, texts: Sequence[str], language: str = "auto") -> Sequence[Guarded]:
        """The texts themselves."""
        return [self.admit(text, language) for text in texts]

    def converse(self, texts: Sequence[str]) -> GuardedConversation:
        """The texts themselves."""
        return _OpenConversation(texts, {})


class PolicyGuard:
    """Redacts by a policy.

    Args:
        redactor: from `cloister.privacy`.
    """

    def __init__(self, redactor: Redactor) -> None:
        self.name = redactor.policy.name
        self.digest = redactor.policy.digest
        self.slow = redactor.tags
        self.notice = redactor.notice
        self.monitor = redactor.policy.monitor
        self._redactor = redactor

    def admit(self, text: str, language: str = "auto") -> Guarded:
        """The redacted text; raises `RedactionError` where a recognizer failed and the policy refuses."""
        if self._redactor.quiet(text) and "<" not in text:
            return _Unchanged(text, {})
        return _Redacted(text, self._redactor.redact(text, language))

    def admit_all(self, texts: Sequence[str], language: str = "auto") -> Sequence[Guarded]:
        """The redacted texts, with one call of the tagger for all; raises as `admit` does.

        A tagger that has no room or no time raises `Overloaded`, `DeadlineExceeded` or `Unavailable`.
        """
        if not self.slow:
            return [self.admit(text, language) for text in texts]
        redactions = self._redactor.redact_all(texts, language)
        return [_Redacted(text, redaction) for text, redaction in zip(texts, redactions, strict=True)]

    def converse(self, texts: Sequence[str]) -> GuardedConversation:
        """The redacted texts, with one vault for all; raises as `admit_all` does."""
        return self._redactor.redact_together(texts)


class _Redacted:
    def __init__(self, original: str, redaction: Redaction) -> None:
        self.text = redaction.text
        self.counts = redaction.counts
        self._original = original
        self._redaction = redaction

    @property
    def spans(self) -> Sequence[Replaced]:
        return [Replaced(s.start, s.end, s.entity, s.score, s.replacement) for s in self._redaction.spans]

    def original(self, start: int, end: int) -> tuple[int, int, str]:
        first, last = self._redaction.original_span(start, end)
        return first, last, self._original[first:last]


def in_original(prediction: Prediction, guarded: Sequence[Guarded]) -> Prediction:
    """A prediction over a guarded text, or pair of them, in terms of the original."""
    match prediction:
        case Tagging():
            return replace(prediction, entities=tuple(_entity(e, guarded[0]) for e in prediction.entities))
        case Answer():
            start, end, text = guarded[-1].original(prediction.start, prediction.end)
            return replace(prediction, start=start, end=end, answer=text)
        case Filling():
            return replace(prediction, masks=tuple(_mask(m, guarded[0]) for m in prediction.masks))
        case _:
            return prediction


def _entity(entity: Entity, guarded: Guarded) -> Entity:
    start, end, text = guarded.original(entity.start, entity.end)
    return replace(entity, start=start, end=end, text=text)


def _mask(mask: Mask, guarded: Guarded) -> Mask:
    start, end, _ = guarded.original(mask.start, mask.end)
    return replace(mask, start=start, end=end)
