from __future__ import annotations

import importlib
import random
from typing import Any

import pytest

from cloister.privacy import Policy, PolicyError, Redactor
from cloister.privacy.prefilter import RegexPrefilter
from cloister.privacy.presidio import compiled, entity_recognizer, predefined
from cloister.privacy.scan import Limits, Scanner
from tests.support.samples import sample, tree

presidio: Any = pytest.importorskip("presidio_analyzer")

VALUES = (
    ("ItFiscalCodeRecognizer", "IT_FISCAL_CODE", "MRTMTT91D08F205J"),
    ("EsNifRecognizer", "ES_NIF", "55555555K"),
    ("PlPeselRecognizer", "PL_PESEL", "44051401359"),
    ("InPanRecognizer", "IN_PAN", "AAAPA1234A"),
    ("SgFinRecognizer", "SG_NRIC_FIN", "S2740116C"),
    ("AuTfnRecognizer", "AU_TFN", "876543210"),
    ("FiPersonalIdentityCodeRecognizer", "FI_PERSONAL_IDENTITY_CODE", "010594Y9032"),
)


def test_predefined_recognizers_are_compiled_into_the_scan() -> None:
    names = ", ".join(f'"{name}"' for name, _, _ in VALUES)
    rules = "".join(f'[entity.{entity}]\naction = "replace"\n' for _, entity, _ in VALUES)
    policy = Policy.parse(f"threshold = 0.01\n{rules}[presidio]\nrecognizers = [{names}]")
    redactor = Redactor(policy, tagger=None)
    for _, entity, value in VALUES:
        assert redactor.redact(f"value {value} here").text == f"value <{entity}_1> here"
        assert redactor.redact(f"号码{value}的").text == f"号码<{entity}_1>的"


def _predefined() -> list[str]:
    """Every pattern recognizer of the installed Presidio but those that Cloister does not compile."""
    module: Any = importlib.import_module("presidio_analyzer.predefined_recognizers")
    names = []
    for name in dir(module):
        kind = getattr(module, name)
        if isinstance(kind, type) and issubclass(kind, presidio.PatternRecognizer) and hasattr(kind, "PATTERNS"):
            names.append(name)
    return sorted(set(names) - {"EmailRecognizer", "UrlRecognizer"})


#: Check digits that drawing does not hit.
KNOWN = {
    "CryptoRecognizer": ["1BoatSLRHtKNngkdXEeobR76b53LETtpyT"],
    "IbanRecognizer": ["DE89370400440532013000", "GB29NWBK60161331926819"],
}


def _valid_values(kind: Any, count: int) -> list[str]:
    """Values that Presidio itself accepts, drawn from its patterns until its checks hold."""
    r = random.Random(kind.__name__)
    recognizer = kind()
    found: list[str] = list(KNOWN.get(kind.__name__, []))
    for _ in range(6000 if not found else 0):
        expression = r.choice(recognizer.patterns).regex
        value = sample(r, tree(expression), {}).strip()
        if not value or recognizer.validate_result(value) is False or recognizer.invalidate_result(value):
            continue
        results = recognizer.analyze(f"value {value} here", recognizer.supported_entities, None) or []
        if any((f.start, f.end) == (6, 6 + len(value)) for f in results):
            found.append(value)
            if len(found) == count:
                break
    return found


@pytest.fixture(scope="module")
def scanner() -> Scanner:
    """All of them in one scan."""
    return Scanner(predefined(_predefined()), RegexPrefilter)


@pytest.mark.parametrize("name", _predefined())
def test_every_predefined_recognizer_finds_what_presidio_finds(name: str, scanner: Scanner) -> None:
    kind: Any = getattr(importlib.import_module("presidio_analyzer.predefined_recognizers"), name)
    values = _valid_values(kind, 3)
    assert values, "no valid value was drawn"
    entity = kind().supported_entities[0]
    for value in values:
        for text, at in ((f"value {value} here", 6), (f"号码{value}的", 2)):
            found = scanner.find(text, (0, len(text)), frozenset({entity}), "any", Limits(0.0, {}, 10.0))
            assert any((c.start, c.end) == (at, at + len(value)) for c in found), (value, text)


def test_what_validates_is_sure(scanner: Scanner) -> None:
    text = "x 44051401359 y 44051401358"
    (candidate,) = scanner.find(text, (0, len(text)), frozenset({"PL_PESEL"}), "any", Limits(0.0, {}, 10.0))
    assert (candidate.start, candidate.end, candidate.score) == (2, 13, 1.0)


def test_unknown_recognizers_are_refused() -> None:
    with pytest.raises(PolicyError):
        Redactor(Policy.parse('[presidio]\nrecognizers = ["NoSuchRecognizer"]'), tagger=None)


def test_a_recognizer_of_ones_own() -> None:
    class Badge(presidio.PatternRecognizer):  # type: ignore[misc]
        def validate_result(self, pattern_text: str) -> bool:
            return not pattern_text.endswith("0")

    own = Badge(supported_entity="BADGE", patterns=[presidio.Pattern("badge", r"\bB-\d{5}\b", 0.6)])
    (recognizer,) = compiled(own)
    assert recognizer.entity == "BADGE"
    assert recognizer.refine is not None
    assert recognizer.refine("B-12345", 0, 7) == (0, 7, 1.0)
    assert recognizer.refine("B-12340", 0, 7) is None


def test_cloister_in_a_plain_analyzer() -> None:
    registry: Any = presidio.RecognizerRegistry(supported_languages=["en"])
    registry.add_recognizer(entity_recognizer(language="en"))
    results = registry.get_recognizers(language="en", entities=["PHONE_NUMBER", "CREDIT_CARD"])[0].analyze(
        "call 415-555-0132, card 4539 5787 6362 1486", ["PHONE_NUMBER", "CREDIT_CARD"], None
    )
    assert [(r.entity_type, r.start, r.end) for r in results] == [("PHONE_NUMBER", 5, 17), ("CREDIT_CARD", 24, 43)]
