"""Bundles of tiny models, each exported once a session and never changed by a test."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Literal

os.environ["HF_HUB_OFFLINE"] = "1"  # read when huggingface_hub is imported, which the imports below do

import pytest
import torch

from cloister.runtime import Engine, load
from tests.support.models import save

torch.set_num_threads(1)  # models are tiny: more threads would only wait for each other

Precision = Literal["int8", "fp32"]

LABELS = {
    "text-classification": ["negative", "neutral", "positive"],
    "token-classification": ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"],
    "zero-shot-classification": ["contradiction", "neutral", "entailment"],
    "text-ranking": ["relevance"],
}

MakeModel = Callable[..., Path]
MakeBundle = Callable[..., Path]
MakeEngine = Callable[..., Engine]


@pytest.fixture(scope="session")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> MakeModel:
    """Folder of a tiny model of a family and task; the same folder for the same arguments."""
    made: dict[str, Path] = {}

    def make(family: str, task: str, **config: object) -> Path:
        key = repr((family, task, sorted(config.items())))
        if key not in made:
            labels = config.pop("labels", LABELS.get(task))
            assert labels is None or isinstance(labels, list)
            made[key] = save(tmp_path_factory.mktemp("model"), family, task, labels=labels, **config)
        return made[key]

    return make


@pytest.fixture(scope="session")
def make_bundle(tmp_path_factory: pytest.TempPathFactory, make_model: MakeModel) -> MakeBundle:
    """Bundle of a tiny model; the same folder for the same arguments."""
    from cloister.export import export

    made: dict[str, Path] = {}

    def make(family: str, task: str, precision: Precision = "int8", **config: object) -> Path:
        key = repr((family, task, precision, sorted(config.items())))
        if key not in made:
            out = tmp_path_factory.mktemp("bundle") / family
            export(make_model(family, task, **config), out, task=task, precision=precision)
            made[key] = out
        return made[key]

    return make


@pytest.fixture(scope="session")
def make_engine(make_bundle: MakeBundle) -> MakeEngine:
    """Engine of a tiny model's bundle; the same engine for the same arguments."""
    made: dict[str, Engine] = {}

    def make(family: str, task: str, precision: Precision = "int8", **config: object) -> Engine:
        key = repr((family, task, precision, sorted(config.items())))
        if key not in made:
            made[key] = load(make_bundle(family, task, precision, **config))
        return made[key]

    return make


@pytest.fixture
def bundle_copy(tmp_path: Path, make_bundle: MakeBundle) -> Path:
    """A bundle that a test may damage: BERT, three classes, float."""
    return Path(shutil.copytree(make_bundle("bert", "text-classification", "fp32"), tmp_path / "bundle"))
