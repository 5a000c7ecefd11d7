"""From a bundle to answers, with numpy, tokenizers and onnxruntime alone."""

from .engine import Engine, Options, load
from .results import Answer, Classification, Embedding, Entity, Prediction, Tagging
from .session import Diagnostics

__all__ = [
    "Answer",
    "Classification",
    "Diagnostics",
    "Embedding",
    "Engine",
    "Entity",
    "Options",
    "Prediction",
    "Tagging",
    "load",
]
