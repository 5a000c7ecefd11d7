"""What a model's outputs mean, by its configuration: labels, kind of problem, the function of a score, the mask."""

from typing import Any, cast

from transformers import PreTrainedTokenizerBase

from .. import ExportError
from ..runtime.manifest import Activation, Problem, Task


def activation(config: Any, task: Task) -> Activation:
    """What sentence-transformers' CrossEncoder puts the score through: the sigmoid unless the config says otherwise.

    Raises:
        ExportError: the config names another function, or the model has more than one output.
    """
    if task not in ("text-ranking", "sentence-similarity"):
        return "none"
    if config.num_labels != 1:
        raise ExportError(
            f"{task} needs a model with one output, this one has {config.num_labels}",
            hint="export it with --task text-classification",
            code="labels_mismatch",
        )
    named = named_activation(config) or "Sigmoid"
    found: dict[str, Activation] = {"Sigmoid": "sigmoid", "Identity": "none"}
    if named.rsplit(".", 1)[-1] not in found:
        raise ExportError(
            "the config's activation function for scores is not supported",
            hint="supported are Sigmoid and Identity",
            code="activation_unsupported",
        )
    return found[named.rsplit(".", 1)[-1]]


def named_activation(config: Any) -> str | None:
    """The function that sentence-transformers wrote into the config: under its present key, or under its first one."""
    settings = getattr(config, "sentence_transformers", None)
    named = settings.get("activation_fn") if isinstance(settings, dict) else None
    named = named or getattr(config, "sbert_ce_default_activation_function", None)
    return None if named is None else str(named)


def mask_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """Id of the mask token. Raises ExportError where the tokenizer has none."""
    found = cast(Any, tokenizer).mask_token_id
    if found is None:
        raise ExportError(
            "the tokenizer has no mask token", hint="fill-mask needs a masked language model", code="tokenizer_mismatch"
        )
    return int(found)


def labels_of(config: Any, task: Task) -> tuple[list[str], Problem | None]:
    """Labels in the order of the outputs, and what they are to each other.

    Raises:
        ExportError: `id2label` is not a list of different names, numbered from 0.
    """
    if task not in ("text-classification", "token-classification", "zero-shot-classification"):
        return [], None
    by_id = {int(k): str(v) for k, v in config.id2label.items()}
    labels = [by_id.get(i, "") for i in range(len(by_id))]
    if sorted(by_id) != list(range(len(by_id))) or len(set(labels)) != len(labels) or not all(labels):
        raise ExportError(
            "the config's id2label is not a plain list of different names",
            hint="number the labels from 0",
            code="labels_mismatch",
        )
    if task == "token-classification":
        return labels, None
    if config.problem_type == "multi_label_classification":
        return labels, "multi_label"
    if config.problem_type == "regression" or len(labels) == 1:
        return labels, "regression"
    return labels, "single_label"
