"""What Cloister recognizes by itself: declarations, one file per family of values."""

from __future__ import annotations

from functools import cache

from .model import CATEGORIES, Recognizer

__all__ = ["CATEGORIES", "Recognizer", "categories", "recognizers"]


@cache
def recognizers() -> tuple[Recognizer, ...]:
    """All recognizers of Cloister itself, in a fixed order."""
    from . import chinese, chinese_names, chinese_places, contact, financial, government, network, places, secrets

    families = (contact, financial, government, network, secrets, places, chinese, chinese_names, chinese_places)
    return tuple(recognizer for family in families for recognizer in family.RECOGNIZERS)


@cache
def categories() -> dict[str, str]:
    """Category of every entity that a recognizer or a usual tagger finds."""
    known = {recognizer.entity: recognizer.category for recognizer in recognizers()}
    return known | {
        "PERSON": "person",
        "LOCATION": "place",
        "ORGANIZATION": "organization",
        "NRP": "person",
        "DATE_TIME": "date",
    }
