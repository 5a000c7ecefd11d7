from __future__ import annotations

import random
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloister.privacy import Policy, Redactor, Span

KEY = (
    "-----BEGIN PRIVATE KEY-----\n"
    + "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDAC4AWkdwKYSd8\n" * 12
    + "-----END PRIVATE KEY-----\nThe end."
)
LONG = (
    "Anna can be reached at +1 415-555-0132 or anna.lima@example.org. Her card is 4539 5787 6362 1486, see <PHONE_NUMBER_2>.\n"  # noqa: E501
    "联系人：周晓岚，电话13912345678，地址：北京市朝阳区建国路88号3栋1202室。她的银行卡是6225760012345678。\n" + KEY + " Then "  # noqa: E501
    + "x" * 700 + " bob%40example.org eyJ" + "hbGciOiJIUzI1" * 60 + ".eyJzdWIiOiI4MTQ3In0." + "k4D9mQ2xT7" * 30 + " done. <PHONE_NUMBER_1> 212-555-0199."  # noqa: E501
)  # fmt: skip
FRAGMENTS = (
    "call 415-555-0132", "bob@example.org", "4539 5787 6362 1486", "联系人:周晓岚", "13912345678", "。", ". ", "\n", " ", "<PHONE_NUMBER_1>", "%34%31",  # noqa: E501
    "<PERSON_2>", "北京市朝阳区建国路88号", "-----BEGIN RSA PRIVATE KEY-----\nMIIEpQIBAAKCAQEAn6O8li4SX4m98LLYt", "eyJhbGciOiJIUzI1NiJ9.", "a", "的", "x" * 300, "١٢٣", "\u200b", "𝟒",  # noqa: E501
)  # fmt: skip


def streamed(redactor: Redactor, text: str, cuts: list[int], language: str = "auto") -> tuple[str, tuple[Span, ...]]:
    stream = redactor.stream(language)
    out = []
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        out.append(stream.feed(text[start:end]))
    out.append(stream.close())
    redacted = "".join(out)
    assert stream.restore(redacted) == text
    return redacted, stream.spans


def test_every_cut_of_every_value_gives_the_same(everything: Redactor, bench: dict[str, ModuleType]) -> None:
    """Two values of every kind; `benchmarks/redaction/streams.py` takes more of them."""
    for index, (_, _, value, english, chinese) in enumerate(bench["values"].values(2)):
        language, text, _ = bench["values"].carrier(index, english, chinese, value)
        whole = everything.redact(text, language)
        for cut in range(len(text) + 1):
            assert streamed(everything, text, [cut], language) == (whole.text, whole.spans)


def test_a_long_text_in_many_cuttings(everything: Redactor) -> None:
    whole = everything.redact(LONG)
    assert whole.restore(whole.text) == LONG
    r = random.Random(1)
    for _ in range(60):
        cuts = sorted(r.randrange(len(LONG)) for _ in range(r.randrange(1, 40)))
        assert streamed(everything, LONG, cuts) == (whole.text, whole.spans)
    assert streamed(everything, LONG, list(range(1, len(LONG)))) == (whole.text, whole.spans)


def test_an_open_key_is_masked_to_its_end(everything: Redactor) -> None:
    redaction = everything.redact(KEY)
    assert "MIIE" not in redaction.text
    assert redaction.text.endswith("The end.")
    assert redaction.counts == {"PRIVATE_KEY": 1}


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=30).map("".join), st.lists(st.integers(0, 600), max_size=8))
def test_cuttings_of_anything(everything: Redactor, text: str, cuts: list[int]) -> None:
    whole = everything.redact(text)
    assert whole.restore(whole.text) == text
    assert streamed(everything, text, sorted(min(cut, len(text)) for cut in cuts)) == (whole.text, whole.spans)


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.characters(), max_size=200))
def test_any_text_gives_valid_spans(everything: Redactor, text: str) -> None:
    redaction = everything.redact(text)
    end = 0
    for span in redaction.spans:
        assert end <= span.start < span.end <= len(text)
        end = span.end
    assert redaction.restore(redaction.text) == text


def test_held_back_text_is_bounded(everything: Redactor) -> None:
    bounds = everything.policy.bounds
    stream = everything.stream()
    came = 0
    for fed, character in enumerate(LONG.replace("x" * 700, "x " * 350) * 3, 1):
        out = stream.feed(character)
        came = fed if out else came
        assert fed - came <= bounds.token + bounds.reach
    assert stream.close()


def test_prose_is_held_back_for_a_segment_and_its_reach(balanced: Redactor) -> None:
    bounds = balanced.policy.bounds
    stream = balanced.stream()
    out = ""
    for number, character in enumerate("The quick brown fox jumps over the lazy dog. " * 80, 1):
        out += stream.feed(character)
        assert number - len(out) <= bounds.segment + bounds.reach + 16


@pytest.mark.parametrize("name", ["balanced", "strict"])
def test_restoring_in_a_stream(name: str) -> None:
    redaction = Redactor(name, tagger=None).redact("call 415-555-0132 or bob@example.org")
    answer = f"I will: {redaction.text}! <PHONE_NUMBER_9> <"
    whole = redaction.restore(answer)
    assert "415-555-0132" in whole
    for size in (1, 2, 3, 7):
        back = redaction.restoring()
        parts = [back.feed(answer[i : i + size]) for i in range(0, len(answer), size)]
        assert "".join(parts) + back.close() == whole


def test_bounds_come_from_the_policy() -> None:
    small = Redactor(Policy.parse('default = "replace"\n[stream]\nsegment = 64\nreach = 128\ntoken = 512'), tagger=None)
    whole = small.redact(LONG)
    assert streamed(small, LONG, list(range(5, len(LONG), 11))) == (whole.text, whole.spans)
