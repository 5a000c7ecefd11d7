"""Redaction of a text that arrives in pieces. The whole text at once is the same thing with one piece.

The text is cut into segments by one rule that reads from left to right. A segment is looked at in a window that shows
some text before and
after it; its output depends on that window and on what was replaced before, never on how the text was cut into chunks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import regex

from .detector import Detector, TaggedSpan
from .policy import Rule
from .recognizers.model import REACH
from .scan import Candidate, RedactionError
from .spans import TAGGER, Span, resolve
from .vault import LITERAL, RestoreStream, Vault

__all__ = ["RedactionStream", "tagged"]

_STOP = re.compile(r"\n|[.!?](?=\s)|[。！？；](?!\s)|[。！？；](?=\s)")
_GAP = re.compile(r"[\s\u3000-\u303F\u4E00-\u9FFF\uFF00-\uFF0F\uFF1A-\uFF20]")
_HAN = re.compile(r"[\u3400-\u9FFF\uF900-\uFAFF]")
# Decisions of this many last characters of a window may still change when a pattern looks ahead.
_LOOK = 3
# How much text is asked about at once whether it holds anything at all.
_REGION = 16384
FAILED = "REDACTION_FAILED"


class RedactionStream:
    """Feed chunks, get safe text out.

    Args:
        detector: what is looked for.
        vault: where originals go.
        language: `en`, `zh`, or `auto` to decide by segment.
        failed: called when a recognizer or the tagger fails.
        known: so many first characters are known to hold something, so nothing needs to be asked about them.
    """

    def __init__(
        self, detector: Detector, vault: Vault, language: str, failed: Callable[[], None], known: int = 0
    ) -> None:
        self._detector = detector
        self._policy = detector.policy
        self._bounds = detector.policy.bounds
        self.vault = vault
        self._language = language
        self._failed = failed
        self._text = ""
        self._offset = 0  # of the first retained character
        self._at = 0  # where the next segment begins, absolute like all that follows
        self._consumed = 0
        # Of a short text it is known that something is in it.
        self._regions: tuple[int, int, bool] = (0, known if known <= _REGION else 0, False)
        self._open: tuple[Any, str, str] | None = None  # tail expression, placeholder (may be empty), value so far
        self._spans: list[Span] = []
        self._blind = False  # whether the segment before could not be searched
        self._closed = False
        self._ranges: list[tuple[int, int]] = []

    def __repr__(self) -> str:
        return f"RedactionStream({len(self._spans)} spans)"

    @property
    def spans(self) -> tuple[Span, ...]:
        """What was replaced so far, in code points of the whole input."""
        return tuple(self._spans)

    def feed(self, chunk: str) -> str:
        """Add text; returns the redacted text that is final. Raises RedactionError as the policy says."""
        self._text += chunk
        return self._advance(final=False)

    def close(self) -> str:
        """End of the text; returns the rest."""
        self._closed = True
        return self._advance(final=True)

    def begin(self, text: str) -> list[str]:
        """Take a whole text, its end included; returns what the tagger has to see of it. `finish` goes on from there.

        With `tagged` in between the two are what `feed` and `close` do, for a caller with several texts.
        """
        self._text = text
        self._closed = True
        self._ranges = list(self._segments(final=True))
        return [self._slice(start, end) for start, end in self._ranges]

    def finish(self, spans: Sequence[Sequence[TaggedSpan] | None]) -> str:
        """The redacted text, by what the tagger found in each of what `begin` returned."""
        return self._decide(self._ranges, spans, final=True)

    def restore(self, text: str) -> str:
        """Put the originals of this stream back into `text`."""
        return self.vault.restore(text)

    def restoring(self) -> RestoreStream:
        """The same over chunks, for what is known now."""
        return self.vault.restoring()

    def _advance(self, *, final: bool) -> str:
        segments = list(self._segments(final))
        if not segments:
            return ""
        texts = [self._slice(start, end) for start, end in segments]
        return self._decide(segments, tagged(self._detector, texts, self._failed), final=final)

    def _decide(
        self, segments: Sequence[tuple[int, int]], tagged: Sequence[Sequence[TaggedSpan] | None], *, final: bool
    ) -> str:
        out: list[str] = []
        length = self._offset + len(self._text)
        for (start, end), spans in zip(segments, tagged, strict=True):
            # A segment with all of its reach in sight is decided the same whether or not the end of the text is known.
            last = final and length < end + self._bounds.reach
            out.append(self._segment(start, end, self._slice(start, end), spans, last))
        if segments:
            self._at = segments[-1][1]
            self._trim()
        return "".join(out)

    def _slice(self, start: int, end: int) -> str:
        return self._text[max(0, start - self._offset) : end - self._offset]

    def _trim(self) -> None:
        drop = self._at - REACH - self._offset
        if drop > 0:
            self._text = self._text[drop:]
            self._offset += drop

    def _segments(self, final: bool) -> Iterator[tuple[int, int]]:
        """Ranges of the segments that can be decided now."""
        text, bounds = self._text, self._bounds
        length = len(text)
        at = self._at - self._offset
        while at < length:
            end = self._end(text, at, length, final)
            if end is None or (not final and length < end + bounds.reach):
                return
            yield at + self._offset, end + self._offset
            at = end

    def _end(self, text: str, at: int, length: int, final: bool) -> int | None:
        bounds = self._bounds
        # One character more than the limit decides, so that what follows a full stop has been seen.
        stop = _STOP.search(text, at + bounds.segment // 2, min(length, at + bounds.segment + 1))
        if stop is not None and stop.end() <= at + bounds.segment and (final or stop.end() < length):
            return stop.end()
        if length <= at + bounds.segment:
            return length if final else None
        gap = _GAP.search(text, at + bounds.segment, min(length, at + bounds.token))
        if gap is not None:
            return gap.end()
        if length >= at + bounds.token:
            return at + bounds.token
        return length if final else None

    def _is_quiet(self, low: int, high: int) -> bool:
        """Whether the window [low, high) holds nothing, by asking about a larger region around it once."""
        start, end, quiet = self._regions
        if not (start <= low and high <= end):
            start, end = low, min(low + max(_REGION, high - low), self._offset + len(self._text))
            quiet = self._detector.quiet(self._slice(start, end))
            self._regions = (start, end, quiet)
        return quiet

    def _segment(self, start: int, end: int, text: str, tagged: Sequence[TaggedSpan] | None, final: bool) -> str:
        low = max(self._offset, start - REACH)
        high = min(end + self._bounds.reach, self._offset + len(self._text))
        last = final and high == self._offset + len(self._text)
        begin = self._continue(max(start, self._consumed), high, last)
        if begin >= end and not (begin == end == start):
            return ""
        quiet = not tagged and tagged is not None and self._is_quiet(low, high)
        window = "" if quiet and "<" not in text and not self.vault.surrogates else self._slice(low, high)
        if not window:
            return self._slice(begin, end)
        self.vault.reserve(window)
        language = self._language_of(text)
        try:
            if tagged is None:
                raise RedactionError("The tagger failed.", hint="Check the tagger.")
            asked = "any" if self._language == "auto" else self._language
            # After a segment in which nothing could be found, what begins in it and reaches into this one still counts.
            owned = (0 if self._blind else begin - low, end - low)
            found = [] if quiet else self._detector.candidates(window, owned, asked)
            found = [c for c in found if self._detector.counts(c, window[c.start : c.end], language)]
            self._blind = False
        except RedactionError:
            if tagged is not None:
                self._failed()
            if self._policy.on_failure == "refuse":
                raise
            self._blind = True
            self._spans.append(Span(begin, end, FAILED, 1.0, f"<{FAILED}>"))
            return f"<{FAILED}>"
        found += self._from_tagger(tagged, start - low, text, language)
        found += self._literals(window)
        chosen = resolve(found, window)
        return self._render(chosen, window, low, begin, end, last, language)

    def _continue(self, begin: int, high: int, last: bool) -> int:
        """Go on with a value that was still open at the end of the window before."""
        if self._open is None:
            return begin
        tail, placeholder, value = self._open
        start = self._consumed
        piece = self._slice(start, high)
        stop = tail.match(piece).end()
        more = stop >= len(piece) - _LOOK and not last
        if more:
            stop = max(0, len(piece) - _LOOK)
        value += piece[:stop]
        if placeholder:
            self.vault.remember(placeholder, value)
        self._open = (tail, placeholder, value) if more else None
        self._consumed = start + stop
        span = self._spans[-1]
        self._spans[-1] = replace(span, end=self._consumed)
        return max(begin, self._consumed)

    def _language_of(self, text: str) -> str:
        if self._language != "auto":
            return self._language
        return "zh" if _HAN.search(text) else "en"

    def _from_tagger(self, tagged: Sequence[TaggedSpan], shift: int, text: str, language: str) -> list[Candidate]:
        out = []
        for span in tagged:
            entity = self._policy.labels.get(span.label, span.label)
            candidate = Candidate(span.start + shift, span.end + shift, entity, span.score, TAGGER)
            if 0 <= span.start < span.end <= len(text) and self._detector.counts(
                candidate, text[span.start : span.end], language
            ):
                out.append(candidate)
        return out

    def _literals(self, window: str) -> list[Candidate]:
        """Text of the input that looks like something this vault gave out: it gets a replacement of its own."""
        out = []
        if "<" in window:
            out += [
                Candidate(match.start(), match.end(), "LITERAL", 1.0, "literal")
                for match in LITERAL.finditer(window)
                if self.vault.collides(match.group())
            ]
        for name in self.vault.surrogates:
            at = window.find(name)
            while at >= 0:
                out.append(Candidate(at, at + len(name), "LITERAL", 1.0, "literal"))
                at = window.find(name, at + 1)
        return out

    def _render(
        self, chosen: list[Candidate], window: str, low: int, begin: int, end: int, last: bool, language: str
    ) -> str:
        out: list[str] = []
        position = begin
        for candidate in chosen:
            start, stop = max(candidate.start + low, position), candidate.end + low
            if stop <= position or candidate.start + low >= end:
                continue
            if start > candidate.start + low and not any(c.isalnum() for c in window[start - low : stop - low]):
                continue
            out.append(window[position - low : start - low])
            is_open = bool(candidate.open_end) and candidate.end >= len(window) - _LOOK and not last
            value = window[start - low : stop - low]
            rule = self._policy.rule(candidate.entity, language)
            if is_open:
                replacement = self._begin_open(candidate, rule, value)
            elif candidate.recognizer == "literal":
                replacement = self.vault.fresh("LITERAL")
                self.vault.remember(replacement, value)
            else:
                replacement = self.vault.replacement(rule, candidate.entity, value, candidate.plain, window)
            out.append(replacement)
            self._spans.append(Span(start, stop, candidate.entity, candidate.score, replacement))
            position = stop
            if is_open:
                break
        self._consumed = max(self._consumed, position)
        if position < end:
            out.append(window[position - low : end - low])
            self._consumed = end
        return "".join(out)

    def _begin_open(self, candidate: Candidate, rule: Rule, value: str) -> str:
        """A value that goes on past what can be seen gets a placeholder of its own, or is masked without a readable
        end.
        """
        tail = regex.compile(f"(?:{candidate.open_end})*", regex.IGNORECASE)
        if rule.action in ("drop", "mask", "hash"):
            self._open = (tail, "", value)
            return {"drop": "", "mask": "*" * 8}.get(rule.action, f"<{candidate.entity}>")
        placeholder = self.vault.fresh(candidate.entity)
        self.vault.remember(placeholder, value)
        self._open = (tail, placeholder, value)
        return placeholder


def tagged(detector: Detector, texts: list[str], failed: Callable[[], None]) -> Sequence[Sequence[TaggedSpan] | None]:
    """The tagger's spans by text; None where it failed and the policy masks.

    Args:
        detector: has the tagger, and the policy.
        texts: segments, of one text or of several.
        failed: called when the tagger fails.

    Raises:
        RedactionError: it failed and the policy refuses.
        ServingError: see `Detector.tag`.
    """
    try:
        return detector.tag(texts)
    except RedactionError:
        failed()
        if detector.policy.on_failure == "refuse":
            raise
        return [None for _ in texts]
