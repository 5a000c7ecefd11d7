"""Offsets of a redacted text lead back to the original."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloister import InvalidInput
from cloister.privacy import Redactor, Span

REDACTOR = Redactor("identifiers", tagger=None)
PIECES = [
    "mail ada@example.org",
    " and ",
    "4111 1111 1111 1111",
    "手机13800138000",
    "。",
    "x",
    "<EMAIL_ADDRESS_1>",
    "\n",
    "🙂 ",
]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join), st.data())
def test_every_span_leads_back(text: str, data: st.DataObject) -> None:
    redaction = REDACTOR.redact(text)
    end = data.draw(st.integers(0, len(redaction.text)))
    start = data.draw(st.integers(0, end))
    first, last = redaction.original_span(start, end)
    assert 0 <= first <= last <= len(text)
    assert redaction.original_span(0, len(redaction.text)) == (0, len(text))
    # What was left as it is comes back as it is.
    cut = redaction.text[start:end]
    if cut and not any(
        start < _after(redaction.spans, i) and _at(redaction.spans, i) < end for i in range(len(redaction.spans))
    ):
        assert text[first:last] == cut


def _at(spans: tuple[Span, ...], index: int) -> int:
    return spans[index].start - sum(s.end - s.start - len(s.replacement) for s in spans[:index])


def _after(spans: tuple[Span, ...], index: int) -> int:
    return _at(spans, index) + len(spans[index].replacement)


def test_a_part_of_a_placeholder_is_the_whole_value() -> None:
    text = "Write to ada@example.org today"
    redaction = REDACTOR.redact(text)
    start = redaction.text.index("ADDRESS")
    assert redaction.original_span(start, start + 3) == (9, 24)
    assert redaction.original_span(0, start) == (0, 24)
    after = redaction.text.index("today")
    assert text[slice(*redaction.original_span(after, after + 5))] == "today"


def test_a_span_outside_is_refused() -> None:
    redaction = REDACTOR.redact("abc")
    for start, end in ((0, 4), (-1, 2), (2, 1)):
        with pytest.raises(InvalidInput):
            redaction.original_span(start, end)
