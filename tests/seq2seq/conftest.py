"""Bundles of tiny encoder-decoders, each exported once a session and never changed by a test."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cloister.export import export
from tests.support import encoder_decoders as families

TASKS = {
    "marian": "translation",
    "marian_to_many": "translation",
    "t5": "summarization",
    "mt5": "text2text-generation",
    "bart": "text2text-generation",
    "mbart": "translation",
    "mbart_pair": "translation",
    "m2m100": "translation",
    "nllb": "translation",
}
QUANTIZED = {"calm_marian": "translation", "calm_t5": "translation", "calm_bart": "text2text-generation"}

Made = Callable[[str], tuple[Path, Path]]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Model folder and bundle of a family."""
    known: dict[str, tuple[Path, Path]] = {}

    def make(family: str) -> tuple[Path, Path]:
        if family not in known:
            root = tmp_path_factory.mktemp(family)
            model = getattr(families, family)(root / "model")
            precision = "int8,fp32" if family in QUANTIZED else "fp32"
            export(model, root / "bundle", task=(TASKS | QUANTIZED)[family], precision=precision)
            known[family] = model, root / "bundle"
        return known[family]

    return make
