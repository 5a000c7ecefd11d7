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
    """A text's class.

    Attributes:
        label: the most probable label; for a regression the only label.
        score: its probability (0 to 1); for a regression the predicted value, unbounded.
        scores: probability of every label, in the model's order.
        labels: for multi-label models every label with a probability of at least 0.5, else None.
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


Prediction = Classification | Tagging | Embedding | Answer


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
    if prediction.truncated:
        fields["truncated"] = True
    return fields


def _entity(entity: Entity) -> dict[str, Any]:
    return {"start": entity.start, "end": entity.end, "text": entity.text, "label": entity.label, "score": entity.score}
