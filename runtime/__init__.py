"""From a bundle to answers, with numpy, tokenizers and onnxruntime alone."""

from .engine import Engine, Options, load
from .results import (
    Answer,
    Candidate,
    Classification,
    Embedding,
    Entity,
    Filling,
    Mask,
    Prediction,
    Score,
    Tagging,
)
from .session import Diagnostics

__all__ = [
    "Answer",
    "Candidate",
    "Classification",
    "Diagnostics",
    "Embedding",
    "Engine",
    "Entity",
    "Filling",
    "Mask",
    "Options",
    "Prediction",
    "Score",
    "Tagging",
    "load",
]
