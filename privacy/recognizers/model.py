"""What a recognizer is: a declaration. How one runs is the business of `scan.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = [
    "CATEGORIES",
    "DIGITS",
    "END",
    "LEAD",
    "NUMBER",
    "NUMBER_END",
    "REACH",
    "RUN",
    "SEP",
    "TRAIL",
    "WORD",
    "WORD_END",
    "Recognizer",
]

#: What an entity is about; policies can address all entities of a category at once.
CATEGORIES = (
    "contact",
    "financial",
    "government",
    "device",
    "network",
    "secret",
    "person",
    "place",
    "organization",
    "date",
    "other",
)

# Boundaries. Han, kana and hangul are neighbours of a value, not letters of the same word, and so is the underscore.
WORD = r"(?<![0-9A-Za-z\u00C0-\u024F])"
WORD_END = r"(?![0-9A-Za-z\u00C0-\u024F])"
# A number neither continues a word nor another number (`1.4155550132`, `12-3456`), apart from a list's comma, colon or slash.
NUMBER = r"(?<![0-9A-Za-z\u00C0-\u024F])(?<![0-9][.\-])(?<![#$€£¥])"
NUMBER_END = r"(?![0-9A-Za-z\u00C0-\u024F])(?![.\-][0-9])(?!%)"
END = WORD_END
#: How far `refine` and context words may look to the left, and to the right, of a match, in characters.
REACH = 64
#: One separator inside a number, as people and programs write it, or none.
SEP = r"[ \t\r\n./_-]{0,3}"
#: Digits with what may stand between two of them, and how far a number's letters may stand before and after.
RUN = r"[0-9](?:[ \t\r\n./_()+-]{0,9}[0-9])*"
LEAD = 8
TRAIL = 24
#: What may stand between a label and its value, apart from what says that a value follows; and the latter.
_WEAK = r"[ \"'`()\[\]{}?【】「」『』《》«»>*_~-]"
_STRONG = r"(?:[:=,|/;\t<]|是|为|号|填写|发你|改成|改为|改|is[ \t]|was[ \t]|number|no\.?[ \t]|value)"
LABEL_GAP = rf"{_WEAK}{{0,4}}{_STRONG}(?:{_WEAK}|{_STRONG}|[a-z]{{1,3}}(?=[>\"=])){{0,10}}"
LABEL_NEAR = rf"(?:{_WEAK}|{_STRONG}|[a-z]{{1,3}}(?=[>\"=])){{0,12}}"
#: Gate of numbers: a run of at least seven digits, separators allowed. Shared, so the prefilter holds it once.
DIGITS = r"[0-9](?:[ \t]{0,2}[-./_()]{0,2}(?:\r?\n)?[ \t]{0,2}[0-9]){6}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognizer:
    """One way in which one kind of value is written.

    Attributes:
        entity: entity name, in Presidio's vocabulary where it has one.
        name: unique name of this recognizer.
        category: one of `CATEGORIES`.
        pattern: regular expression (syntax of `regex`) over folded text. A group named `v` is the value where the pattern also names what
            surrounds it. Its width is bounded, so that one match costs a bounded amount of work.
        digits: when not 0, every match that passes `validate` lies in a run of at least so many digits with the separators of `RUN`
            between them, apart from `LEAD` characters before the run and `TRAIL` after it; the rest of a text need not be searched.
        gates: expressions without lookaround or backreference, one of which occurs in or right around every match of `pattern`, no
            farther than `REACH` away; empty when `pattern` itself, without its boundaries, can serve (see `before`, `after`).
        before: boundary that the pattern starts with, kept apart so that the rest can be its own gate.
        after: boundary that the pattern ends with.
        score: confidence of a match without context, 0 to 1.
        validate: check of the value (folded text); False rejects it.
        validated: what `validate` checks, in words, for the documentation.
        context: words beside the value that raise the score to `context_score`.
        against: words beside the value that lower the score to `against_score`.
        context_score: see `context`; 0 switches it off.
        against_score: see `against`.
        refine: given the text and the range of a match, the range of the value and its score, or None to reject it; for values that are
            recognized by what surrounds them. Looks at most `REACH` characters to either side; the value ends no later than the match.
        leftward: `refine` may begin the value left of the match.
        languages: languages of the text in which the recognizer applies.
        cased: whether letters must be written as in the pattern.
        loose: the gates have lookaround, which a prefilter ignores.
        open_end: a match that reaches the end of what can be seen continues over characters of this class, however many.
        example: a value that it finds, made up and valid.
        source: where the form is defined.
    """

    entity: str
    name: str
    category: str
    pattern: str
    example: str
    digits: int = 0
    gates: tuple[str, ...] = ()
    before: str = WORD
    after: str = WORD_END
    score: float = 0.6
    validate: Callable[[str], bool] | None = None
    validated: str = ""
    context: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    context_score: float = 0.0
    against_score: float = 0.2
    refine: Callable[[str, int, int], tuple[int, int, float] | None] | None = None
    leftward: bool = False
    languages: tuple[str, ...] = ("en", "zh")
    cased: bool = False
    loose: bool = False
    open_end: str = ""
    source: str = ""
