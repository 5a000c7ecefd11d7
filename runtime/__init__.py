"""From a bundle to answers, with numpy, tokenizers and onnxruntime alone."""

from .engine import Engine, Options
from .generation import Constraint, Generation, GenerationOptions, Message, Piece, Summary, TokenLogprob
from .loading import load
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
    "Constraint",
    "Diagnostics",
    "Embedding",
    "Engine",
    "Entity",
    "Filling",
    "Generation",
    "GenerationOptions",
    "Mask",
    "Message",
    "Options",
    "Piece",
    "Prediction",
    "Score",
    "Summary",
    "Tagging",
    "TokenLogprob",
    "load",
]
