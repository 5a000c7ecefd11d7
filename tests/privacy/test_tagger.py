"""Named entities from a tagging bundle, by the policy, end to end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloister import DeadlineExceeded, InvalidInput, MissingExtra, Overloaded, Unavailable
from cloister.privacy import Policy, RedactionError, Redactor, redact
from cloister.runtime import Tagging, load
from cloister.runtime.tagger import BundleTagger, from_bundle

TEXT = "Ana Lima met Joao in Lisbon; call 415-555-0132 or write to Rua Augusta."
POLICY = """
name = "named"
default = "keep"
threshold = {threshold}
[category]
contact = "replace"
[entity.PERSON]
action = "replace"
[entity.PLACE]
action = "replace"
[labels]
PER = "PERSON"
LOC = "PLACE"
[tagger]
bundle = "{bundle}"
"""


@pytest.fixture(scope="module")
def bundle(make_bundle: Callable[..., Path]) -> Path:
    return make_bundle("bert", "token-classification")


def policy(bundle: Path, threshold: float = 0.0) -> Policy:
    return Policy.parse(POLICY.format(bundle=bundle, threshold=threshold))


def entities(bundle: Path, text: str) -> list[tuple[int, int, str]]:
    """What the engine says of a text by itself, under the policy's names."""
    (prediction,) = load(bundle).predict([text])
    assert isinstance(prediction, Tagging)
    names = {"PER": "PERSON", "LOC": "PLACE"}
    return [(e.start, e.end, names[e.label]) for e in prediction.entities]


def test_a_policy_names_a_bundle(bundle: Path) -> None:
    redactor = Redactor(policy(bundle))
    redaction = redactor.redact(TEXT, "en")
    assert redactor.tags
    assert redactor.notice == ""
    tagged = entities(bundle, TEXT)
    assert tagged, "the tiny model finds nothing: the test says nothing"
    covered = {at for s in redaction.spans for at in range(s.start, s.end)}
    # Every letter of every entity is covered, by its own span or by one that overlaps and scores higher.
    for start, end, _ in tagged:
        assert sum(TEXT[at].isalnum() for at in range(start, end) if at not in covered) < 3
    own = {(s.start, s.end, s.entity) for s in redaction.spans}
    assert own & set(tagged)
    assert "415-555-0132" not in redaction.text
    assert redaction.restore(redaction.text) == TEXT


def test_thresholds_apply_to_the_model_too(bundle: Path) -> None:
    assert set(Redactor(policy(bundle, threshold=1.0)).redact(TEXT).counts) <= {"PHONE_NUMBER"}


def test_streams_and_long_texts_keep_their_promise(bundle: Path) -> None:
    redactor = Redactor(policy(bundle))
    text = (TEXT + " ") * 12 + "and so on without any stop " * 30
    whole = redactor.redact(text, "en")
    assert whole.restore(whole.text) == text
    for size in (7, 100):
        stream = redactor.stream("en")
        parts = [stream.feed(text[at : at + size]) for at in range(0, len(text), size)]
        assert "".join(parts) + stream.close() == whole.text
        assert stream.spans == whole.spans


def test_a_text_past_the_window_has_exact_offsets(bundle: Path) -> None:
    text = "Ana went to Lisbon and then on to Porto with Joao " * 12
    spans = from_bundle(bundle)([text, "", "\ud800 Ana"])
    assert len(spans) == 3
    assert [(e.start, e.end, e.text) for e in spans[0]] == [(e.start, e.end, text[e.start : e.end]) for e in spans[0]]
    assert spans[0]
    assert spans[0][-1].start > 200
    assert not spans[1]


def test_another_task_is_refused(make_bundle: Callable[..., Path]) -> None:
    with pytest.raises(InvalidInput):
        BundleTagger(load(make_bundle("bert", "text-classification")))


def test_a_policy_without_names_loads_no_model(tmp_path: Path) -> None:
    none = Policy.parse(f'[category]\ncontact = "replace"\n[tagger]\nbundle = "{tmp_path}"')
    assert not Redactor(none).tags


class _Point:
    name = "default"

    def __init__(self, error: Exception) -> None:
        self._error = error

    def load(self) -> Callable[..., Any]:
        raise self._error


@pytest.mark.parametrize(
    "error", [MissingExtra("onnxruntime is not installed.", hint="pip install 'cloister[cpu]'."), ImportError("x")]
)
def test_a_tagger_that_cannot_run_is_an_error(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redact, "entry_points", lambda **_: [_Point(error)])
    redact._installed.cache_clear()
    try:
        with pytest.raises(MissingExtra) as caught:
            Redactor("balanced")
        assert "cloister[cpu]" in str(caught.value.hint)
        assert "tagger=None" in str(caught.value.hint)
        assert not Redactor("secrets").tags
        assert Redactor("balanced", tagger=None).redact("Ana").text == "Ana"
    finally:
        redact._installed.cache_clear()


def test_where_no_tagger_is_installed_the_redactor_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redact, "_installed", lambda: None)
    assert "names" in Redactor("balanced").notice
    assert Redactor("balanced", tagger=None).notice == ""
    assert Redactor("identifiers").notice == ""


def test_the_service_redacts_with_the_bundle_of_its_policy(bundle: Path, tmp_path: Path) -> None:
    from cloister.runtime.http.application import build
    from cloister.runtime.settings import Settings
    from tests.support.service import Client

    path = tmp_path / "named.toml"
    path.write_text(POLICY.format(bundle=bundle, threshold=0.0), encoding="utf-8")
    client = Client(build(Settings(bundles=[f"names={bundle}"], policy=str(path))))
    try:
        answer = client.post("/v1/redact", {"input": TEXT, "language": "en"}).json()
        tagged = client.post("/v1/tag", {"model": "names", "input": TEXT}).json()
    finally:
        client.close()
    expected = Redactor(path).redact(TEXT, "en")
    assert answer["data"][0]["text"] == expected.text
    assert answer["redacted"] == expected.counts
    assert tagged["redacted"] == Redactor(path).redact(TEXT).counts


@dataclass(frozen=True)
class Said:
    """What a made-up tagger says."""

    start: int
    end: int
    label: str = "PERSON"
    score: float = 1.0


def saying(text: str, *spans: Said) -> Callable[[list[str]], list[list[Said]]]:
    """A tagger that has these spans for one text, and nothing for others."""
    return lambda texts: [list(spans) if one == text else [] for one in texts]


CONTACT = "Ana Lima, ana.lima@example.org, 415-555-0132, card 4539 5787 6362 1486, Li"
FOUND = Redactor(tagger=None).redact(CONTACT).spans


@given(
    st.lists(
        st.tuples(
            st.integers(0, len(CONTACT)), st.integers(1, 40), st.sampled_from(["PERSON", "ADDRESS", "EMAIL_ADDRESS"])
        ),
        max_size=6,
    )
)
def test_no_tagger_breaks_what_a_pattern_found(claims: list[tuple[int, int, str]]) -> None:
    spans = [Said(at, min(at + n, len(CONTACT)), label) for at, n, label in claims if at < len(CONTACT)]
    redaction = Redactor(tagger=saying(CONTACT, *spans)).redact(CONTACT)
    done = {(s.start, s.end, s.entity) for s in redaction.spans}
    for own in FOUND:
        # Where the tagger found the same thing, and more of it, it may become longer; otherwise it stays as it was.
        start, end = own.start, own.end
        for _ in spans:  # one may reach the next
            same = [s for s in spans if s.label == own.entity and s.start < end and start < s.end]
            start, end = min([start, *(s.start for s in same)]), max([end, *(s.end for s in same)])
        (over,) = [s for s in done if s[0] <= own.start and own.end <= s[1]]
        assert start <= over[0]
        assert over[1] <= end
        assert over[2] == own.entity
    # Nothing that the tagger covered comes back into the open, but for scraps beside what covers it.
    hidden = {at for s in redaction.spans for at in range(s.start, s.end)}
    for span in spans:
        open_ = [at for at in range(span.start, span.end) if at not in hidden and CONTACT[at].isalnum()]
        runs = sum(1 for at in open_ if at - 1 not in open_)
        assert len(open_) <= 2 * runs
    assert redaction.restore(redaction.text) == CONTACT


def test_a_name_around_an_address_is_what_is_left_of_it() -> None:
    text = "from Ana Lima 415-555-0132 today"
    redaction = Redactor(tagger=saying(text, Said(5, 26))).redact(text)
    assert redaction.text == "from <PERSON_1> <PHONE_NUMBER_1> today"


def test_the_longer_of_two_names_counts() -> None:
    """A rule's name is a part of what the tagger found: no character of it is left over."""
    text = "联系人:周晓岚,谢谢"
    (rule,) = Redactor(tagger=None).redact(text).spans
    longer = Redactor(tagger=saying(text, Said(rule.start, rule.end + 2, score=0.6))).redact(text)
    assert [(s.start, s.end, s.entity) for s in longer.spans] == [(rule.start, rule.end + 2, "PERSON")]
    shorter = Redactor(tagger=saying(text, Said(rule.start, rule.end - 1))).redact(text)
    assert shorter.spans == (rule,)


def test_a_stream_gives_what_the_whole_gives_and_holds_back_no_more_than_it_says(bundle: Path) -> None:
    redactor = Redactor(policy(bundle))
    bounds = redactor.policy.bounds
    assert bounds.segment + bounds.reach + 16 <= 512
    text = (TEXT + " 联系人:周晓岚。") * 9 + " and so on without any stop" * 20
    whole = redactor.redact(text)
    stream = redactor.stream()
    out = ""
    for number, character in enumerate(text, 1):
        out += stream.feed(character)
        done = stream.vault.restore(out)
        assert number - len(done) <= 512
    assert out + stream.close() == whole.text
    assert stream.spans == whole.spans


def test_segments_of_one_feed_go_in_one_call() -> None:
    calls: list[list[str]] = []

    def tagger(texts: list[str]) -> list[list[Said]]:
        calls.append(texts)
        return [[] for _ in texts]

    redactor = Redactor(tagger=tagger)
    text = "A sentence that says nothing of anybody at all. " * 40
    redactor.redact(text)
    (segments,) = calls
    assert "".join(segments) == text
    assert len(segments) > 5
    calls.clear()
    redactor.redact_all([text, "", "short", text])
    (segments,) = calls
    assert "".join(segments) == text + "short" + text


@given(st.lists(st.sampled_from([CONTACT, "", "Ana", "<PHONE_NUMBER_1>", TEXT, "周晓岚 " * 200]), max_size=5))
def test_many_texts_are_redacted_as_each_of_them(texts: list[str]) -> None:
    for tagger in (None, saying("Ana", Said(0, 3))):
        redactor = Redactor(tagger=tagger)
        together = redactor.redact_all(texts)
        apart = [redactor.redact(text) for text in texts]
        assert [(r.text, r.spans) for r in together] == [(r.text, r.spans) for r in apart]
        assert all(r.restore(r.text) == text for r, text in zip(together, texts, strict=True))


def test_wrong_arguments_for_many_texts() -> None:
    for wrong in ("text", ["a", 1], [b"a"]):
        with pytest.raises(InvalidInput):
            Redactor(tagger=None).redact_all(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["refuse", "mask"])
@pytest.mark.parametrize("error", [Overloaded, DeadlineExceeded, Unavailable])
def test_no_room_or_no_time_is_no_failure_and_lets_nothing_pass(mode: str, error: Any) -> None:
    def busy(texts: list[str]) -> list[list[Said]]:
        raise error("not now", hint="later")

    redactor = Redactor(Policy.parse(f'on_failure = "{mode}"\n[category]\nperson = "replace"'), tagger=busy)
    with pytest.raises(error):
        redactor.redact("Ana")
    stream = redactor.stream()
    stream.feed("Ana")
    with pytest.raises(error):
        stream.close()
    assert redactor.failures == 0


def test_a_tagger_that_answers_for_too_few_texts_closes() -> None:
    with pytest.raises(RedactionError):
        Redactor(tagger=lambda texts: []).redact("Ana")
