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

__all__ = [
    "Answer",
    "Candidate",
    "Classification",
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
