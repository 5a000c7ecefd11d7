"""Named entities from a tagging bundle, by the policy, end to end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloister import InvalidInput, MissingExtra
from cloister.privacy import Policy, Redactor, redact
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
