"""Presidio with patterns alone: what the comparison runs beside Cloister."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["presidio"]


def presidio() -> Callable[[str], list[Any]]:
    """Presidio's English pattern recognizers, one by one as its engine runs them, without a language model and without the network."""
    from presidio_analyzer import PatternRecognizer, RecognizerRegistry

    registry = RecognizerRegistry(supported_languages=["en"])
    registry.load_predefined_recognizers(languages=["en"])
    chosen = [
        r for r in registry.recognizers if isinstance(r, PatternRecognizer) or type(r).__name__ == "PhoneRecognizer"
    ]

    def analyze(text: str) -> list[Any]:
        return [found for r in chosen for found in r.analyze(text, r.supported_entities, None) or []]

    return analyze
