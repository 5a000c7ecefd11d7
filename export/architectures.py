"""Facts about architectures, as data. What is not listed is tried with the defaults and judged by the parity gate."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Architecture:
    """What the export needs to know of a model type and cannot see in the model.

    Attributes:
        stack: attribute of the base model that holds the layers, where it is more than its lists of layers (ALBERT
            projects its embeddings inside the stack). Those lists are taken when None.
        positions: where position ids start: at zero, or after the padding index, as fairseq's RoBERTa has it.
        packed: `required` when the packed path is known to be exact, so that a layer that does not fuse is an error
            rather than a reason to take the padded path.
        padded: why this architecture is known to need the padded path, for the user; empty where it is not known to.
        refused: why this architecture cannot be exported, empty where it can. Nothing is tried then.
    """

    stack: str | None = None
    positions: Literal["zero", "after padding"] = "zero"
    packed: Literal["required", "tried"] = "tried"
    padded: str = ""
    refused: str = ""


_PACKED = Architecture(packed="required")
_FAIRSEQ = Architecture(positions="after padding", packed="required")
_FAIRSEQ_TRIED = Architecture(positions="after padding")

ARCHITECTURES: dict[str, Architecture] = {
    "albert": Architecture(stack="encoder", packed="required"),
    "bert": _PACKED,
    "camembert": _FAIRSEQ,
    "data2vec-text": _FAIRSEQ,
    "distilbert": _PACKED,
    "electra": _PACKED,
    "ernie": _PACKED,
    "eurobert": _PACKED,
    "gemma": _PACKED,
    "gte": _PACKED,
    "ibert": _FAIRSEQ_TRIED,
    "jina_embeddings_v3": _PACKED,
    "llama": _PACKED,
    "longformer": _FAIRSEQ_TRIED,
    "luke": _FAIRSEQ_TRIED,
    "mistral": _PACKED,
    "modernbert": _PACKED,
    "mpnet": _FAIRSEQ_TRIED,
    "nomic_bert": _PACKED,
    "qwen2": _PACKED,
    "qwen3": _PACKED,
    "roberta": _FAIRSEQ,
    "roberta-prelayernorm": _FAIRSEQ,
    "xlm-roberta": _FAIRSEQ,
    "xlm-roberta-xl": _FAIRSEQ,
    "xmod": _FAIRSEQ_TRIED,
}


def facts(model_type: str) -> Architecture:
    """Facts about a transformers `model_type`, defaults where none are listed."""
    return ARCHITECTURES.get(model_type, Architecture())
