"""An encoder-decoder folder or hub id -> model, tokenizer, generation config."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from transformers import AutoConfig, AutoModelForSeq2SeqLM, AutoTokenizer, GenerationConfig

from .. import ExportError
from ..runtime.manifest import Task
from .loading import architecture, as_export_error, digest_of, model_folder, quiet, weight_files

TASKS = ("translation", "summarization", "text2text-generation")
_MOST_TOKENS = 1024


@dataclass(repr=False)
class Loaded:
    """An encoder-decoder, ready to trace."""

    name: str
    task: Task
    model: Any
    tokenizer: Any
    generation: GenerationConfig
    weights_sha256: str
    window: int
    files: dict[str, bytes] = field(default_factory=dict)


def is_encoder_decoder(source: str, task: str | None) -> bool:
    """Whether a source is for this export: by its task, else by its config."""
    if task is not None:
        return task in TASKS
    return architecture(source).endswith(("ForConditionalGeneration", "MarianMTModel"))


def read(source: str, task: str | None) -> Loaded:
    """Load a model folder or hub id.

    Raises:
        ExportError: no weights, no tokenizer, a family or a way of generating that is not supported.
    """
    folder = model_folder(source)
    with as_export_error("the model's config.json cannot be read", "config_invalid"):
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    if not getattr(config, "is_encoder_decoder", False):
        raise ExportError("the model is no encoder-decoder", hint="check --task", code="architecture_unsupported")
    weights = weight_files(folder)
    with as_export_error("the model cannot be loaded", "model_unreadable"), quiet():
        model, info = AutoModelForSeq2SeqLM.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, local_files_only=True, output_loading_info=True
        )
    if info["missing_keys"]:
        raise ExportError(
            f"{len(info['missing_keys'])} tensors of the model are not among the weights",
            hint="the weights are of another model: check the folder",
            code="head_missing",
        )
    with as_export_error("the tokenizer cannot be loaded", "tokenizer_invalid"), quiet():
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    for name in ("pad_token_id", "eos_token_id"):
        theirs, ours = getattr(config, name, None), getattr(tokenizer, name, None)
        if theirs is not None and ours is not None and theirs != ours and theirs not in (ours, [ours]):
            raise ExportError(
                f"tokenizer and config disagree on {name}",
                hint="tokenizer and weights are of different models: check the folder",
                code="tokenizer_mismatch",
            )
    default = {"marian": "translation", "m2m_100": "translation"}.get(config.model_type, "text2text-generation")
    limits = [_MOST_TOKENS]
    if tokenizer.model_max_length < 1_000_000:
        limits.append(int(tokenizer.model_max_length))
    if config.model_type not in ("t5", "mt5"):
        limits.append(int(config.max_position_embeddings))
    return Loaded(
        name=folder.name if Path(source).exists() else source,
        task=cast(Task, task or default),
        model=model.eval(),
        tokenizer=tokenizer,
        generation=model.generation_config,
        weights_sha256=digest_of(weights),
        window=min(limits),
    )
