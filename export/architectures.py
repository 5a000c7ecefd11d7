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

_LAYOUT = "it reads documents, with a place on the page for every token"
_IMAGES = "it reads images beside text: its text model alone can be exported under its own model type"
_RECURRENT = "it has recurrent (state-space) layers, whose graphs hold a loop over the tokens"
_CHARACTERS = "it reads characters or bytes by a tokenizer that the tokenizers library does not have"

# Decoders used as encoders pack too, but none is required to: a head that looks for the last token that is not padding
# reads another one where the end-of-text token serves as padding, and only the padded path does what it does.
ARCHITECTURES: dict[str, Architecture] = {
    **dict.fromkeys(
        ("bros", "layoutlm", "layoutlmv2", "layoutlmv3", "lilt", "markuplm"), Architecture(refused=_LAYOUT)
    ),
    **dict.fromkeys(
        (
            "emu3",
            "gemma3",
            "llama4",
            "lxmert",
            "mllama",
            "modernvbert",
            "molmo2_text",
            "qwen3_5",
            "t5gemma2",
            "ultravbert",
        ),
        Architecture(refused=_IMAGES),
    ),
    **dict.fromkeys(("jamba", "qwen3_5_text", "qwen3_next", "zamba", "zamba2"), Architecture(refused=_RECURRENT)),
    "canine": Architecture(refused=_CHARACTERS),
    "perceiver": Architecture(refused=_CHARACTERS),
    "qwen3_asr": Architecture(refused="it reads sound"),
    "tapas": Architecture(refused="it reads tables, with a row and a column for every token"),
    "albert": Architecture(stack="encoder", packed="required"),
    "bert": _PACKED,
    "camembert": _FAIRSEQ,
    "data2vec-text": _FAIRSEQ,
    "distilbert": _PACKED,
    "electra": _PACKED,
    "ernie": _PACKED,
    "eurobert": _PACKED,
    "gte": _PACKED,
    "ibert": _FAIRSEQ_TRIED,
    "jina_embeddings_v3": _PACKED,
    "longformer": _FAIRSEQ_TRIED,
    "luke": _FAIRSEQ_TRIED,
    "modernbert": _PACKED,
    "mpnet": _FAIRSEQ_TRIED,
    "nomic_bert": _PACKED,
    "roberta": _FAIRSEQ,
    "roberta-prelayernorm": _FAIRSEQ,
    "xlm-roberta": _FAIRSEQ,
    "xlm-roberta-xl": _FAIRSEQ,
    "xmod": _FAIRSEQ_TRIED,
}


def facts(model_type: str) -> Architecture:
    """Facts about a transformers `model_type`, defaults where none are listed."""
    return ARCHITECTURES.get(model_type, Architecture())
