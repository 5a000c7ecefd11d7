from __future__ import annotations

from typing import Any

import pytest

from cloister.privacy import Policy, PolicyError, Redactor
from cloister.privacy.presidio import compiled, entity_recognizer

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


@pytest.mark.parametrize(("name", "entity", "value"), VALUES)
def test_predefined_recognizers_are_compiled_into_the_scan(name: str, entity: str, value: str) -> None:
    policy = Policy.parse(
        f'threshold = 0.01\n[entity.{entity}]\naction = "replace"\n[presidio]\nrecognizers = ["{name}"]'
    )
    redactor = Redactor(policy, tagger=None)
    assert redactor.redact(f"value {value} here").text == f"value <{entity}_1> here"
    assert redactor.redact(f"号码{value}的").text == f"号码<{entity}_1>的"


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
    assert recognizer.validate is not None
    assert recognizer.validate("B-12345")
    assert not recognizer.validate("B-12340")


def test_cloister_in_a_plain_analyzer() -> None:
    registry: Any = presidio.RecognizerRegistry(supported_languages=["en"])
    registry.add_recognizer(entity_recognizer(language="en"))
    results = registry.get_recognizers(language="en", entities=["PHONE_NUMBER", "CREDIT_CARD"])[0].analyze(
        "call 415-555-0132, card 4539 5787 6362 1486", ["PHONE_NUMBER", "CREDIT_CARD"], None
    )
    assert [(r.entity_type, r.start, r.end) for r in results] == [("PHONE_NUMBER", 5, 17), ("CREDIT_CARD", 24, 43)]
