"""Personal data and secrets in the text that a language model writes, found while it writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import regex

from .detector import Detector
from .recognizers.model import REACH
from .scan import Candidate
from .spans import TAGGER, resolve

__all__ = ["OutputScan"]

_GAP = regex.compile(r"[\s\u3000-\u303F\u4E00-\u9FFF]")
_HAN = regex.compile(r"[\u3400-\u9FFF\uF900-\uFAFF]")
# With a tagger, so much text is decided at once: every decision costs a run of it.
_RUN = 64


class OutputScan:
    """Feed what the model writes, placeholders included; get out what may go on.

    Held back are the last `[stream] reach` characters, the word before them, and a value that is not complete; never
    more than `[stream] token` characters.

    Args:
        detector: what is looked for, by a policy whose `output` says what is done.
        placeholders: of the request; they are no values.
        known: texts of the request as they came; values in them are nothing new to their sender.

    Attributes:
        counts: number of values found, by entity.
        stopped: the policy says `stop` and a value was found: nothing more comes out.
        masked: ranges of the text fed, in code points, that were not passed on.
        decided: so many code points of the text fed are passed on or masked.
    """

    def __init__(self, detector: Detector, placeholders: Sequence[str], known: Sequence[str]) -> None:
        self._detector = detector
        self._action = detector.policy.output
        self._placeholders = regex.compile("|".join(map(regex.escape, placeholders))) if placeholders else None
        self._known = known
        self._text = ""
        self._offset = 0  # of the first character kept
        self.counts: Counter[str] = Counter()
        self.stopped = False
        self.masked: list[tuple[int, int]] = []
        self.decided = 0

    def __repr__(self) -> str:
        return f"OutputScan({self.counts.total()} values)"

    def waits(self, piece: str = "") -> bool:
        """Whether `feed(piece)`, or `close()` where there is none, runs the tagger: not a matter for an event loop."""
        if self._detector.tagger is None or self.stopped:
            return False
        text, begin = self._text + piece, self.decided - self._offset
        return self._ready(text, begin, self._cut(text, begin) if piece else len(text), final=not piece)

    def feed(self, piece: str) -> str:
        """Text that may go on. Raises RedactionError where it cannot be searched: then nothing more may."""
        self._text += piece
        # What passes anyway is counted when it is complete: nothing waits for that.
        if self._action == "pass":
            self._decide(final=False)
            return piece
        return self._decide(final=False)

    def close(self) -> str:
        """The rest."""
        rest = self._decide(final=True)
        return "" if self._action == "pass" else rest

    def _decide(self, *, final: bool) -> str:
        if self.stopped:
            return ""
        text, begin = self._text, self.decided - self._offset
        cut = len(text) if final else self._cut(text, begin)
        if not self._ready(text, begin, cut, final=final):
            return ""
        found = self._found(text, begin)
        out: list[str] = []
        at = begin
        for candidate in found:
            if candidate.end <= begin:
                continue
            if not final and candidate.end >= cut and candidate.start < cut:
                cut = max(at, candidate.start)  # it may go on: it is looked at again with what follows
                break
            if candidate.start >= cut:
                break
            out.append(text[at : max(at, candidate.start)])
            self.counts[candidate.entity] += 1
            self.masked.append((candidate.start + self._offset, candidate.end + self._offset))
            if self._action == "stop":
                self.stopped = True
                self.decided = candidate.start + self._offset
                return "".join(out)
            out.append(f"<{candidate.entity}>")
            at = candidate.end
        out.append(text[at:cut])
        self.decided = max(cut, at) + self._offset
        drop = self.decided - REACH - self._offset
        if drop > 0:
            self._text, self._offset = self._text[drop:], self._offset + drop
        return "".join(out)

    def _ready(self, text: str, begin: int, cut: int, *, final: bool) -> bool:
        return cut - begin >= (1 if final or self._detector.tagger is None else _RUN)

    def _cut(self, text: str, begin: int) -> int:
        """Where the text that can be decided ends: before a word, with enough behind it to decide."""
        bounds = self._detector.policy.bounds
        cut = len(text) - bounds.reach
        if cut <= begin:
            return begin
        gaps = [match.end() for match in _GAP.finditer(text, begin, cut)]
        if gaps:
            return int(gaps[-1])
        return cut if len(text) - begin >= bounds.token else begin

    def _found(self, text: str, begin: int) -> list[Candidate]:
        """What counts in the text from `begin` on, in order, without overlaps and without the request's own values."""
        detector = self._detector
        language = "zh" if _HAN.search(text) else "en"
        found: list[Candidate] = []
        if not detector.quiet(text):
            found = detector.candidates(text, (begin, len(text)), "any")
        if detector.tagger is not None:
            for span in detector.tag([text])[0]:
                entity = detector.policy.labels.get(span.label, span.label)
                found.append(Candidate(span.start, span.end, entity, span.score, TAGGER))
        found = [c for c in found if detector.counts(c, text[c.start : c.end], language)]
        if not found:
            return []
        own = [] if self._placeholders is None else [match.span() for match in self._placeholders.finditer(text)]
        found = [c for c in found if not any(c.start < high and low < c.end for low, high in own)]
        return [c for c in resolve(found, text) if not self._was_sent(text[c.start : c.end])]

    def _was_sent(self, value: str) -> bool:
        return any(value in text for text in self._known)
