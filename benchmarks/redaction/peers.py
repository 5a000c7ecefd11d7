"""Presidio with patterns alone: what the comparison runs beside Cloister."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

__all__ = ["presidio"]


def presidio() -> Callable[[str], list[Any]]:
    """Presidio's English pattern recognizers, one by one, without its context step or a language model; no network."""
    from presidio_analyzer import PatternRecognizer, RecognizerRegistry

    nlp: Any = importlib.import_module("presidio_analyzer.nlp_engine")
    tldextract: Any = importlib.import_module("tldextract")

    # Presidio's e-mail recognizer would fetch a list of top-level domains; the one that tldextract carries serves.
    tldextract.extract = tldextract.TLDExtract(suffix_list_urls=())
    none = nlp.NlpArtifacts(entities=[], tokens=[], tokens_indices=[], lemmas=[], nlp_engine=None, language="en")
    registry = RecognizerRegistry(supported_languages=["en"])
    registry.load_predefined_recognizers(languages=["en"])
    chosen = [
        r for r in registry.recognizers if isinstance(r, PatternRecognizer) or type(r).__name__ == "PhoneRecognizer"
    ]

    def analyze(text: str) -> list[Any]:
        return [found for r in chosen for found in r.analyze(text, r.supported_entities, none) or []]

    return analyze
