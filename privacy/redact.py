"""Text in, redaction out: the front door of the privacy layer."""

from __future__ import annotations

import secrets
import threading
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Final

from .. import InvalidInput, MissingExtra
from .conversation import Conversation
from .detector import Detector, Tagger
from .engines import default_engine, prepare
from .policy import Policy
from .recognizers import recognizers
from .recognizers.model import Recognizer
from .scan import RedactionError, Scanner
from .spans import Span
from .stream import RedactionStream, tagged
from .vault import RestoreStream, Vault

__all__ = ["DEFAULT_TAGGER", "Redaction", "Redactor", "default_tagger"]

_LANGUAGES = ("en", "zh", "auto")
_GROUP = "cloister.taggers"


class _Default:
    """Stands for the tagger that is installed, if one is."""

    def __repr__(self) -> str:
        return "DEFAULT_TAGGER"


#: The tagger of the entry point group `cloister.taggers`; patterns only where none is installed.
DEFAULT_TAGGER: Final = _Default()


class Redaction:
    """A redacted text with what was done, and the way back. Its `repr` shows neither.

    Attributes:
        text: the redacted text.
        spans: what was replaced, in code points of the original, in order.
    """

    __slots__ = ("_original", "_vault", "spans", "text")

    def __init__(self, text: str, spans: tuple[Span, ...], vault: Vault | None, original: str) -> None:
        self.text = text
        self.spans = spans
        self._vault = vault
        self._original = original

    def __repr__(self) -> str:
        return f"Redaction({len(self.spans)} spans)"

    @property
    def counts(self) -> dict[str, int]:
        """Number of spans by entity."""
        return dict(Counter(span.entity for span in self.spans))

    def original_span(self, start: int, end: int) -> tuple[int, int]:
        """Where a span of `text` lies in the original; a span that touches a replacement covers its whole value.

        Args:
            start: first code point, in `text`.
            end: one past the last, in `text`.

        Raises:
            InvalidInput: not `0 <= start <= end <= len(text)`.
        """
        if not 0 <= start <= end <= len(self.text):
            raise InvalidInput("The span lies outside of the redacted text.", hint="Pass offsets of `text`.")
        first, last = start, end
        shift = 0  # of the original against the redacted text, left of the span looked at
        for span in self.spans:
            at = span.start - shift
            after = at + len(span.replacement)
            shift += span.end - span.start - len(span.replacement)
            if start >= after:
                first = start + shift
            elif start >= at:
                first = span.start
            if end >= after:
                last = end + shift
            elif end > at:
                last = span.end
        return first, max(first, last)

    def restore(self, text: str) -> str:
        """Put the originals back into `text`, which may be anything that carries this redaction's placeholders or
        surrogates.

        Masked, hashed and dropped values stay as they are. Placeholders of other redactions, or made up, stay too.
        """
        return text if self._vault is None else self._vault.restore(text)

    def restoring(self) -> RestoreStream:
        """The same for a text that arrives in chunks."""
        return (self._vault or Vault(Policy.load("identifiers"), {})).restoring()


@lru_cache(maxsize=8)
def _scanner(presidio: tuple[str, ...]) -> Scanner:
    return Scanner(_recognizers(presidio), default_engine)


_scanner_lock = threading.Lock()


def _recognizers(presidio: tuple[str, ...]) -> tuple[Recognizer, ...]:
    if not presidio:
        return recognizers()
    from .presidio import predefined

    return recognizers() + predefined(presidio)


class Redactor:
    """Finds personal data and secrets and replaces them as a policy says. Immutable, safe to use from many threads.

    Args:
        policy: a `Policy`, the name of a preset, or the path of a TOML file.
        tagger: a named-entity model (see `Tagger`), None for patterns only. By default, where the policy asks for
            names, the bundle it names, else the one that is installed; where none is, patterns only, and `notice`
            says so.

    Raises:
        PolicyError: the policy is not valid or a key it names is not there.
        MissingExtra: the policy asks for names and what the tagger needs is not installed.
        BundleError, InvalidInput: the bundle that the policy names cannot be used.
    """

    def __init__(
        self, policy: Policy | str | Path = "balanced", tagger: Tagger | _Default | None = DEFAULT_TAGGER
    ) -> None:
        self.policy = policy if isinstance(policy, Policy) else Policy.load(policy)
        self._keys = {purpose: reference.read() for purpose, reference in self.policy.keys.items()}
        self._keys.setdefault("surrogate", secrets.token_bytes(32))
        with _scanner_lock:
            scanner = _scanner(self.policy.presidio)
        known = _recognizers(self.policy.presidio)
        entities = frozenset(r.entity for r in known if self.policy.touches(r.entity))
        self._notice = ""
        if isinstance(tagger, _Default):
            tagger = default_tagger(self.policy)
            if tagger is None and self.policy.names:
                self._notice = "no named-entity model is installed: names in English text stay"
        self._detector = Detector(self.policy, scanner, entities, tagger)
        self._failures = 0
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Redactor(policy={self.policy.name!r})"

    @property
    def notice(self) -> str:
        """What the policy asks for and nothing here finds, in words; empty when there is nothing to say."""
        return self._notice

    @property
    def tags(self) -> bool:
        """Whether a named-entity model takes part: every text then costs a run of it."""
        return self._detector.tagger is not None

    @property
    def failures(self) -> int:
        """How often a recognizer or the tagger failed, whether the text was refused or masked."""
        return self._failures

    @property
    def entities(self) -> frozenset[str]:
        """Entities that its patterns look for."""
        return self._detector.entities

    @property
    def engine(self) -> str:
        """Name of the engine that serves the prefilter now: `hyperscan`, `re2` or `regex`."""
        return self._detector.scanner.prefilter.name

    def quiet(self, text: str) -> bool:
        """Whether nothing is to be found in `text`, as far as the prefilter can tell: the fast way out for clean text.
        Never with a tagger, which has to see every text.
        """
        return not self.tags and self._detector.quiet(text)

    def _failed(self) -> None:
        with self._lock:
            self._failures += 1

    def redact(self, text: str, language: str = "auto") -> Redaction:
        """Redact a whole text.

        Args:
            text: any string.
            language: `en`, `zh`, or `auto` to decide by segment; it decides which recognizers and which rules of
                the policy apply.

        Raises:
            InvalidInput: `text` is not a string or `language` is none of these.
            RedactionError: a recognizer or the tagger failed and the policy refuses.
            Overloaded, DeadlineExceeded, Unavailable: the tagger had no room or no time for it.
        """
        _checked(text, language)
        detector = self._detector
        if detector.tagger is not None:
            return self.redact_all([text], language)[0]
        # What the stream would find out segment by segment: there is nothing in it.
        known = 0
        if "<" not in text:
            if detector.quiet(text):
                return Redaction(text, (), None, text)
            known = len(text)
        stream = RedactionStream(detector, Vault(self.policy, self._keys), language, self._failed, known)
        redacted = stream.feed(text) + stream.close()
        return Redaction(redacted, stream.spans, stream.vault, text)

    def redact_all(self, texts: Sequence[str], language: str = "auto") -> list[Redaction]:
        """Redact whole texts, each with a vault of its own: as `redact` of each, with one call of the tagger for all.

        Args:
            texts: any strings.
            language: as for `redact`.

        Raises:
            InvalidInput, RedactionError: as `redact`, for any of the texts.
        """
        if isinstance(texts, str):
            raise InvalidInput("The texts to redact are one string.", hint="Pass a list, or use `redact`.")
        for text in texts:
            _checked(text, language)
        if self._detector.tagger is None:
            return [self.redact(text, language) for text in texts]
        streams = [
            RedactionStream(self._detector, Vault(self.policy, self._keys), language, self._failed) for _ in texts
        ]
        segments = [stream.begin(text) for stream, text in zip(streams, texts, strict=True)]
        spans = iter(tagged(self._detector, [part for parts in segments for part in parts], self._failed))
        out = []
        for stream, text, parts in zip(streams, texts, segments, strict=True):
            redacted = stream.finish([next(spans) for _ in parts])
            out.append(Redaction(redacted, stream.spans, stream.vault, text))
        return out

    def redact_together(self, texts: Sequence[str], language: str = "auto") -> Conversation:
        """Redact the texts of one conversation with a language model, with one vault for all of them.

        The same value has the same placeholder in every text; what was found in one text is replaced in all of them.

        Args:
            texts: any strings: messages, and whatever else of the request the model is given.
            language: as for `redact`.

        Raises:
            InvalidInput, RedactionError, Overloaded, DeadlineExceeded, Unavailable: as `redact`, for any of the texts.
        """
        for text in texts:
            _checked(text, language)
        vault = Vault(self.policy, self._keys, conversation=True)
        streams = [RedactionStream(self._detector, vault, language, self._failed) for _ in texts]
        segments = [stream.begin(text) for stream, text in zip(streams, texts, strict=True)]
        spans = iter(tagged(self._detector, [part for parts in segments for part in parts], self._failed))
        redacted = [
            stream.finish([next(spans) for _ in parts]) for stream, parts in zip(streams, segments, strict=True)
        ]
        return Conversation(self._detector, vault, tuple(texts), redacted, [stream.spans for stream in streams])

    def stream(self, language: str = "auto") -> RedactionStream:
        """A stream with a vault of its own; see `redact` for the language."""
        _checked("", language)
        return RedactionStream(self._detector, Vault(self.policy, self._keys), language, self._failed)

    def prepare(self) -> Path | None:
        """Compile the pattern database into the user's cache; its path, or None where no Hyperscan is installed."""
        return prepare(self._detector.scanner.gates)


def _checked(text: object, language: str) -> None:
    if not isinstance(text, str):
        raise InvalidInput("The text to redact is not a string.", hint="Pass str; decode bytes first.")
    if language not in _LANGUAGES:
        raise InvalidInput(f"Unknown language {language!r}.", hint=f"Use one of {', '.join(_LANGUAGES)}.")


def default_tagger(policy: Policy) -> Tagger | None:
    """The tagger that `Redactor(policy)` uses: of the bundle that the policy names, else the one that is installed.

    None where the policy asks for no names, or no tagger is installed.

    Raises:
        MissingExtra: what the tagger needs is not installed.
        BundleError, InvalidInput: the bundle that the policy names cannot be used.
    """
    if not policy.names:
        return None
    return _from_bundle(policy.tagger) if policy.tagger else _installed()


def _from_bundle(path: str) -> Tagger:
    """Tagger of the bundle that a policy names, by the entry point `bundle`."""
    for point in entry_points(group=_GROUP, name="bundle"):
        found = _made(point, path)
        if found is not None:
            return found
    raise RedactionError(
        "The policy names a tagging bundle, and nothing here can load one.",
        hint="Install Cloister as a package (pip install), or use patterns only (tagger=None).",
    )


@lru_cache(maxsize=1)
def _installed() -> Tagger | None:
    """The default tagger, made once; None where no package provides one. What another package provides goes before
    Cloister's own.
    """
    points = sorted(entry_points(group=_GROUP), key=lambda point: (point.name == "builtin", point.name))
    made = (_made(point) for point in points if point.name != "bundle")
    return next((tagger for tagger in made if tagger is not None), None)


def _made(point: EntryPoint, *arguments: str) -> Tagger | None:
    """A tagger, None where there is none behind the entry point, or an error that says what it lacks: names are never
    dropped from the search in silence.
    """
    try:
        tagger: Tagger | None = point.load()(*arguments)
    except MissingExtra as error:
        raise MissingExtra(
            f"The policy asks for names, and the tagger {point.name!r} cannot run: {error.message}",
            hint=f"{error.hint} Or use patterns only (tagger=None, --no-tagger).",
        ) from error
    except ImportError as error:
        raise MissingExtra(
            f"The policy asks for names, and the tagger {point.name!r} cannot be imported.",
            hint="Run pip install 'cloister[cpu]', or use patterns only (tagger=None, --no-tagger).",
        ) from error
    return tagger
