"""Facts about architectures, as data. What is not listed is tried with the defaults and judged by the parity gate."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Architecture:
    """What the packed path needs to know of a model type.

    Attributes:
        stack: attribute of the base model that holds the layers; its output is what a pooler or a head reads.
        positions: where position ids start: at zero, or after the padding index, as fairseq's RoBERTa has it.
        packed: `required` when the packed path is known to be exact, so that a layer that does not fuse is an error
            rather than a reason to take the padded path.
    """

    stack: str = "encoder"
    positions: Literal["zero", "after padding"] = "zero"
    packed: Literal["required", "tried"] = "tried"


ARCHITECTURES: dict[str, Architecture] = {
    "albert": Architecture(packed="required"),
    "bert": Architecture(packed="required"),
    "camembert": Architecture(positions="after padding", packed="required"),
    "distilbert": Architecture(stack="transformer", packed="required"),
    "electra": Architecture(packed="required"),
    "mpnet": Architecture(positions="after padding"),
    "roberta": Architecture(positions="after padding", packed="required"),
    "xlm-roberta": Architecture(positions="after padding", packed="required"),
}


def facts(model_type: str) -> Architecture:
    """Facts about a transformers `model_type`, defaults where none are listed."""
    return ARCHITECTURES.get(model_type, Architecture())
