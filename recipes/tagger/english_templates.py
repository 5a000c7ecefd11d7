"""All English templates by genre, with ids that do not change when others are added."""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from .english_documents import DOCUMENTS
from .english_messages import MESSAGES
from .english_negatives import NEGATIVES
from .english_records import RECORDS
from .identities import Part

GENRES: Mapping[str, tuple[str, ...]] = {**MESSAGES, **RECORDS, **DOCUMENTS, "negative": NEGATIVES}
HELDOUT = Path(__file__).with_name("heldout_templates.json")


def template_id(genre: str, text: str) -> str:
    """Genre and the first eight hexadecimal digits of the text's SHA-256: an edited template is a new one."""
    return f"{genre}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


@cache
def templates() -> Mapping[str, str]:
    """Every template by its id."""
    return {template_id(genre, text): text for genre, texts in GENRES.items() for text in texts}


@cache
def heldout() -> Mapping[str, frozenset[str]]:
    """Ids of the templates of `validation` and of `test`, as committed."""
    listed: dict[str, list[str]] = json.loads(HELDOUT.read_text("utf-8"))["english"]
    return {part: frozenset(ids) for part, ids in listed.items()}


@cache
def of_part(part: Part) -> tuple[str, ...]:
    """Ids of the templates of a part; those on no list are for training."""
    if part == "train":
        return tuple(sorted(templates().keys() - heldout()["validation"] - heldout()["test"]))
    return tuple(sorted(heldout()[part]))
