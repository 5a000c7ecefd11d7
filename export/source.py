"""A model folder or hub id -> model, tokenizer, task, labels. The weights stay what they are: float32, in PyTorch."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np
import torch
import transformers
from optimum.exporters.tasks import TasksManager
from transformers import AutoConfig, PreTrainedModel, PreTrainedTokenizerBase

from .. import ExportError
from ..runtime.linear import LinearHead
from ..runtime.manifest import Activation, Pooling, Problem, Task
from .answers import activation, labels_of, mask_id, named_activation
from .architectures import facts
from .loading import (
    as_export_error,
    digest_of,
    fast_tokenizer,
    model_folder,
    quiet,
    tokenizer_json,
    weight_files,
    window_of,
)
from .texts import with_masks

Text = str | tuple[str, str]
Head = Literal["sequence", "tokens", "spans", "masked", "hidden"]

_TASK_OF_HEAD: dict[str, Task] = {
    "ForSequenceClassification": "text-classification",
    "ForTokenClassification": "token-classification",
    "ForQuestionAnswering": "question-answering",
    "ForMaskedLM": "fill-mask",
    "WithLMHeadModel": "fill-mask",
    "EncoderModel": "feature-extraction",
    "Model": "feature-extraction",
}
_MODEL_TASKS: dict[Task, str] = {
    "zero-shot-classification": "text-classification",
    "text-ranking": "text-classification",
    "sentence-similarity": "feature-extraction",
}
"""Tasks that a model of another task does: transformers has no head of their own for them."""
_POOLING_FLAGS: dict[str, Pooling] = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_lasttoken": "last",
    "lasttoken": "last",
}


@dataclass(repr=False)
class Source:
    """A fine-tuned model, ready to trace.

    Attributes:
        name: folder name or hub id.
        model: float32, in evaluation mode.
        tokenizer: transformers' tokenizer, the reference for Cloister's own tokenization.
        tokenizer_json: the same tokenizer as a `tokenizer.json` without truncation and padding.
        window: most tokens the model takes, special tokens included.
        labels: in the order of the model's outputs; empty where the task has none.
        first_position: position id of a text's first token.
        token_types: whether the model tells the two texts of a pair apart by type ids.
        weights_sha256: digest over the weight files, in the order of their names.
        dense: a classifier over the pooled vector; None where the head is part of `model`.
        activation: what a model of pairs puts its score through.
        mask_id: id of the mask token, None unless the task is fill-mask.
    """

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    tokenizer_json: str
    task: Task
    window: int
    labels: list[str]
    problem: Problem | None
    pooling: Pooling | None
    normalized: bool
    first_position: int
    token_types: bool
    weights_sha256: str
    architecture: str = field(default="")
    dense: LinearHead | None = None
    activation: Activation = "none"
    mask_id: int | None = None

    @property
    def config(self) -> Any:
        """The transformers configuration."""
        return self.model.config

    @property
    def head(self) -> Head:
        """What the graph gives: logits of a text, of its tokens, of start and end, of its masks, or hidden values."""
        match self.task:
            case "token-classification":
                return "tokens"
            case "question-answering":
                return "spans"
            case "fill-mask":
                return "masked"
        return "sequence" if self.pooling is None else "hidden"

    def asked(self, texts: Sequence[str]) -> list[Text]:
        """Texts as the task reads them: as pairs, or with words replaced by the mask where masks are to be filled."""
        match self.task:
            case "fill-mask":
                return list(with_masks(texts, cast(Any, self.tokenizer).mask_token))
            case "question-answering":
                return [("What happened?", text) for text in texts if text.strip()]
            case "zero-shot-classification" | "text-ranking" | "sentence-similarity" if self.pooling is None:
                # transformers takes an empty second text for none, so no pair has one here.
                return [(one, other) for one, other in zip(texts, [*texts[1:], *texts[:1]], strict=True) if other]
        return list(texts)


def read(source: str, task: str | None = None) -> Source:
    """Load a model folder or hub id.

    Raises:
        ExportError: no weights, no tokenizer, an unknown architecture or task, a head that was never trained, labels
            that do not match the head, weights that cannot be read.
    """
    root = model_folder(source)
    sentence = _SentenceTransformer(root)
    folder = root / sentence.transformer_path
    if not (folder / "config.json").is_file():
        raise ExportError(
            "the model folder has no config.json",
            hint="SOURCE must be a folder written by save_pretrained, or a hub id",
            code="config_missing",
        )
    with as_export_error(
        "the model's config.json cannot be read, or names an architecture transformers does not have",
        "config_invalid",
        hint="only architectures that transformers itself implements can be exported",
    ):
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    if refused := facts(config.model_type).refused:
        raise ExportError(
            f"model type {config.model_type} is not supported: {refused}",
            hint="docs/architectures.md lists what is",
            code="architecture_unsupported",
        )
    chosen = _task(task, config, is_embedding=sentence.present, classifies=sentence.dense is not None)
    dense = sentence.classifier(config) if chosen == "text-classification" else None
    weights = [*weight_files(folder), *([sentence.dense] if dense is not None and sentence.dense else [])]
    by_task = _model_task(chosen, config, is_embedding=sentence.present)
    model_task = by_task if dense is None else "feature-extraction"
    model = _model(folder, model_task, config)
    tokenizer = fast_tokenizer(folder)
    labels, problem = labels_of(config, chosen)
    pools = model_task == "feature-extraction"
    positions = facts(config.model_type).positions
    padding = getattr(config, "pad_token_id", None)
    first_position = int(padding) + 1 if positions == "after padding" and padding is not None else 0
    if len(tokenizer) > config.vocab_size:
        raise ExportError(
            "the tokenizer has more tokens than the model's embedding table",
            hint="tokenizer and weights are of different models: check the folder",
            code="tokenizer_mismatch",
        )
    return Source(
        name=root.name if Path(source).exists() else source,
        model=model,
        tokenizer=tokenizer,
        tokenizer_json=tokenizer_json(tokenizer, lowercase=sentence.lowercase),
        task=chosen,
        window=window_of(tokenizer, config, first_position, sentence.window),
        labels=labels,
        problem=problem,
        pooling=(sentence.pooling or "mean") if pools else None,
        normalized=pools and sentence.normalized,
        first_position=first_position,
        token_types=getattr(config, "type_vocab_size", 0) > 1 and "token_type_ids" in tokenizer.model_input_names,
        weights_sha256=digest_of(weights),
        architecture=type(model).__name__,
        dense=dense,
        activation="none" if pools else activation(config, chosen),
        mask_id=mask_id(tokenizer) if chosen == "fill-mask" else None,
    )


class _SentenceTransformer:
    """What `modules.json` of sentence-transformers says: where the model is, how it pools, whether it normalizes."""

    def __init__(self, root: Path) -> None:
        self.present = (root / "modules.json").is_file()
        self.transformer_path = ""
        self.pooling: Pooling | None = None
        self.normalized = False
        self.window: int | None = None
        self.lowercase = False
        self.dense: Path | None = None
        if not self.present:
            return
        with as_export_error("the folder's modules.json cannot be read", "config_invalid"):
            for module in json.loads((root / "modules.json").read_text("utf-8")):
                self._module(root, str(module["type"]).rsplit(".", 1)[-1], str(module["path"]))

    def _module(self, root: Path, kind: str, path: str) -> None:
        if kind == "Transformer":
            self.transformer_path = path
            for name in ("sentence_bert_config.json", "sentence_roberta_config.json"):
                if (root / path / name).is_file():
                    settings = json.loads((root / path / name).read_text("utf-8"))
                    self.window = settings.get("max_seq_length")
                    self.lowercase = bool(settings.get("do_lower_case", False))
        elif kind == "Pooling":
            settings = json.loads((root / path / "config.json").read_text("utf-8"))
            named = settings.get("pooling_mode")
            active = (
                [named] if named else [k for k, v in settings.items() if k.startswith("pooling_mode") and v is True]
            )
            modes = {_POOLING_FLAGS.get(str(a), a if a in get_args(Pooling) else None) for a in active}
            if len(modes) != 1 or None in modes:
                raise ExportError(
                    "this way of pooling is not supported",
                    hint="supported are mean, cls, max and the last token",
                    code="pooling_unsupported",
                )
            self.pooling = cast(Pooling, modes.pop())
        elif kind == "Normalize" and self.dense is None:
            self.normalized = True
        elif kind == "Dense" and self.dense is None and _is_linear(root / path / "config.json"):
            self.dense = root / path / "model.safetensors"
        else:
            raise ExportError(
                f"the sentence-transformers module {kind} is not supported here",
                hint="supported are Transformer, Pooling, Normalize, and a last Dense without activation",
                code="architecture_unsupported",
            )

    def classifier(self, config: Any) -> LinearHead | None:
        """The last Dense module as a head.

        Raises:
            ExportError: its weights are missing or do not fit the labels of the config.
        """
        if self.dense is None:
            return None
        from safetensors.numpy import load_file

        with as_export_error("the weights of the Dense module cannot be read", "weights_missing"):
            tensors = load_file(self.dense)
            weights = tensors["linear.weight"].astype(np.float32)
            bias = tensors.get("linear.bias", np.zeros(len(weights))).astype(np.float32)
        if len(weights) != len(config.id2label) or config.problem_type is None:
            raise ExportError(
                "the Dense module's outputs and the config's labels do not fit together",
                hint="config.json needs id2label with a name for each output, and problem_type",
                code="labels_mismatch",
            )
        return LinearHead(weights, bias, None, normalized=self.normalized)


def _is_linear(path: Path) -> bool:
    return path.is_file() and str(json.loads(path.read_text("utf-8")).get("activation_function")).endswith("Identity")


def _model_task(task: Task, config: Any, *, is_embedding: bool) -> str:
    """Whose task in transformers the model has: similarity comes from embeddings or from a model of pairs."""
    architectures = getattr(config, "architectures", None) or [""]
    if task == "sentence-similarity" and not is_embedding and architectures[0].endswith("ForSequenceClassification"):
        return "text-classification"
    return _MODEL_TASKS.get(task, task)


def _task(asked: str | None, config: Any, *, is_embedding: bool, classifies: bool) -> Task:
    supported = ", ".join(get_args(Task))
    if asked is not None:
        task = asked if asked in get_args(Task) else TasksManager.map_from_synonym(asked)
        if task not in get_args(Task):
            raise ExportError(
                "this task cannot be exported", hint=f"--task is one of: {supported}", code="task_unsupported"
            )
        return cast(Task, task)
    if is_embedding:
        return "text-classification" if classifies else "feature-extraction"
    names = getattr(config, "architectures", None) or [""]
    for suffix, found in _TASK_OF_HEAD.items():
        if names[0].endswith(suffix):
            is_ranker = found == "text-classification" and config.num_labels == 1 and named_activation(config)
            return "text-ranking" if is_ranker else found
    raise ExportError(
        "the task cannot be told from the model's config", hint=f"pass --task, one of: {supported}", code="task_unknown"
    )


def _model(folder: Path, task: str, config: Any) -> PreTrainedModel:
    from safetensors import SafetensorError

    with as_export_error("this architecture has no model for the task", "architecture_unsupported"):
        auto = TasksManager.get_model_class_for_task(task, library="transformers")
        if task == "feature-extraction" and type(config) in _ENCODERS:
            auto = transformers.AutoModelForTextEncoding
        if type(config) not in auto._model_mapping:
            raise ExportError(
                f"model type {config.model_type} has no model for {task}",
                hint="check --task; only what transformers itself implements can be exported",
                code="architecture_unsupported",
            )
    try:
        with quiet():
            model, info = auto.from_pretrained(
                folder,
                config=config,
                dtype=torch.float32,
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                output_loading_info=True,
            )
    except SafetensorError as error:
        raise ExportError(
            "a weight file is corrupt", hint="copy or download the model again", code="weights_corrupt"
        ) from error
    except RuntimeError as error:
        raise ExportError(
            "the weights do not fit the config: a layer has another size",
            hint="often the labels: id2label must have as many entries as the head has outputs",
            code="labels_mismatch",
        ) from error
    except Exception as error:
        raise ExportError(
            "the model cannot be loaded", hint="load it with transformers to see why", code="model_unreadable"
        ) from error
    # A pooler that an embedding does not use may be missing; anything else missing would be random numbers.
    missing = [k for k in info["missing_keys"] if not (task == "feature-extraction" and "pooler" in k)]
    if missing:
        raise ExportError(
            f"{len(missing)} tensors that {task} needs are not among the weights",
            hint="the model was not fine-tuned for this task: check --task",
            code="head_missing",
        )
    if info["mismatched_keys"]:
        raise ExportError(
            "the weights do not fit the config: a layer has another size",
            hint="often the labels: id2label must have as many entries as the head has outputs",
            code="labels_mismatch",
        )
    return cast(PreTrainedModel, model.eval())


_ENCODERS = transformers.AutoModelForTextEncoding._model_mapping  # of T5 and its kin the encoder alone


@dataclass(frozen=True, repr=False)
class Base:
    """A model to train on.

    Attributes:
        name: folder name or hub id.
        folder: where config, tokenizer and perhaps weights are.
        pooling: how a sentence-transformers model pools; None for every other model.
        has_weights: False for a config alone, from which a model can be pre-trained.
        window: most tokens, special tokens included.
    """

    name: str
    folder: Path
    config: Any
    tokenizer: PreTrainedTokenizerBase
    tokenizer_json: str
    pooling: Pooling | None
    has_weights: bool
    window: int
    first_position: int
    token_types: bool


def read_base(source: str) -> Base:
    """Read a model folder or hub id without loading its weights.

    Raises:
        ExportError: no config, no tokenizer, an unknown architecture.
    """
    root = model_folder(source)
    sentence = _SentenceTransformer(root)
    folder = root / sentence.transformer_path
    if not (folder / "config.json").is_file():
        raise ExportError(
            "the base folder has no config.json",
            hint="BASE must be a folder written by save_pretrained, or a hub id",
            code="config_missing",
        )
    with as_export_error(
        "the base's config.json cannot be read, or names an architecture transformers does not have", "config_invalid"
    ):
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    tokenizer = fast_tokenizer(folder)
    padding = getattr(config, "pad_token_id", None)
    after = facts(config.model_type).positions == "after padding"
    first_position = int(padding) + 1 if after and padding is not None else 0
    if len(tokenizer) > config.vocab_size:
        raise ExportError(
            "the tokenizer has more tokens than the model's embedding table",
            hint="tokenizer and config are of different models: check the folder",
            code="tokenizer_mismatch",
        )
    has_weights = any(folder.glob("*.safetensors"))
    if not has_weights and (any(folder.glob("*.bin")) or any(folder.glob("*.pt"))):
        weight_files(folder)
    return Base(
        name=root.name if Path(source).exists() else source,
        folder=folder,
        config=config,
        tokenizer=tokenizer,
        tokenizer_json=tokenizer_json(tokenizer, lowercase=sentence.lowercase),
        pooling=(sentence.pooling or "mean") if sentence.present else None,
        has_weights=has_weights,
        window=window_of(tokenizer, config, first_position, sentence.window),
        first_position=first_position,
        token_types=getattr(config, "type_vocab_size", 0) > 1 and "token_type_ids" in tokenizer.model_input_names,
    )
