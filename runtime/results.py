"""What `Engine.predict` returns: one frozen type per task, and its JSON form."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


class _Quiet:
    """Content stays out of `repr`, so that it does not reach a log by accident."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


@dataclass(frozen=True, slots=True, repr=False)
class Classification(_Quiet):
    """A text's class, or (zero-shot classification) which of the labels given fits it.

    Attributes:
        label: the most probable label; for a regression the only label.
        score: its probability (0 to 1); for a regression the predicted value, unbounded.
        scores: probability of every label, in the model's order; for zero-shot classification in the order given.
        labels: for multi-label models every label whose probability reaches its threshold (0.5 unless the bundle says
            otherwise), else None.
        out_of_scope: how likely the text belongs to no class (0 to 1), None where the bundle does not say.
    """

    label: str
    score: float
    scores: dict[str, float]
    labels: tuple[str, ...] | None = None
    out_of_scope: float | None = None
    truncated: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class Entity:
    """A labelled span. `start` and `end` count Unicode code points of the text as given; score is 0 to 1."""

    start: int
    end: int
    text: str
    label: str
    score: float

    def __repr__(self) -> str:
        return f"<Entity {self.label} {self.start}:{self.end}>"


@dataclass(frozen=True, slots=True, repr=False)
class Tagging(_Quiet):
    """Entities of a text in order of their start, without overlaps."""

    entities: tuple[Entity, ...]
    truncated: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class Embedding(_Quiet):
    """A text's vector. Shape: `[dimensions]` float32."""

    vector: NDArray[np.float32]
    truncated: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class Answer(_Quiet):
    """The span of the context that answers the question; offsets in code points of the context, score 0 to 1."""

    answer: str
    start: int
    end: int
    score: float
    truncated: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class Candidate(_Quiet):
    """A token that may stand where the mask is. `score` is its probability (0 to 1) over the whole vocabulary."""

    token: str
    score: float


@dataclass(frozen=True, slots=True, repr=False)
class Mask(_Quiet):
    """One mask of a text: its place in code points of the text as given, and what may stand there, best first."""

    start: int
    end: int
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Filling(_Quiet):
    """The masks of a text in their order."""

    masks: tuple[Mask, ...]
    truncated: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class Score(_Quiet):
    """How well a pair goes together: more is better.

    Attributes:
        score: for embeddings their cosine (-1 to 1); for a model of pairs its output (0 to 1 where the bundle applies a
            sigmoid, else unbounded).
    """

    score: float
    truncated: bool = False


Prediction = Classification | Tagging | Embedding | Answer | Filling | Score


def to_json(prediction: Prediction) -> dict[str, Any]:
    """The JSON object of a prediction, as `cloister predict` prints it. Absent means does not apply."""
    match prediction:
        case Classification():
            fields: dict[str, Any] = {"label": prediction.label, "score": prediction.score, "scores": prediction.scores}
            if prediction.labels is not None:
                fields["labels"] = list(prediction.labels)
            if prediction.out_of_scope is not None:
                fields["out_of_scope"] = prediction.out_of_scope
        case Tagging():
            fields = {"entities": [_entity(e) for e in prediction.entities]}
        case Embedding():
            fields = {"embedding": prediction.vector.tolist()}
        case Answer():
            fields = {
                "answer": prediction.answer,
                "start": prediction.start,
                "end": prediction.end,
                "score": prediction.score,
            }
        case Filling():
            fields = {"masks": [_mask(m) for m in prediction.masks]}
        case Score():
            fields = {"score": prediction.score}
    if prediction.truncated:
        fields["truncated"] = True
    return fields


def _entity(entity: Entity) -> dict[str, Any]:
    return {"start": entity.start, "end": entity.end, "text": entity.text, "label": entity.label, "score": entity.score}


def _mask(mask: Mask) -> dict[str, Any]:
    candidates = [{"token": c.token, "score": c.score} for c in mask.candidates]
    return {"start": mask.start, "end": mask.end, "candidates": candidates}
