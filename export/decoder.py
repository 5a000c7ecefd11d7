"""A decoder folder or hub id -> model, tokenizer, settings; adapters merged. The weights are float32, in PyTorch."""

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from .. import ExportError
from ..runtime.chat import Chat
from ..runtime.manifest import GeneratorSettings, Sampling, TokenizerSettings
from ..runtime.tokens import TextTokenizer
from .loading import (
    architecture,
    as_export_error,
    digest_of,
    fast_tokenizer,
    is_adapter,
    model_folder,
    quiet,
    tokenizer_json,
    weight_files,
    window_of,
)


@dataclass(repr=False)
class DecoderSource:
    """A decoder with its tokenizer, ready to build.

    Attributes:
        folder: a complete model folder: the source's, or one into which adapters were merged.
        scratch: an empty folder for large files, which is there until `read_decoder` ends.
        model: float32, in evaluation mode.
        window: most tokens of prompt and text.
    """

    name: str
    folder: Path
    scratch: Path
    model: Any
    tokenizer: Any
    tokenizer_json: str
    words: TextTokenizer
    window: int
    weights_sha256: str
    settings: GeneratorSettings
    template: str | None


def is_decoder(source: str, task: str | None) -> bool:
    """Whether a source is a model that writes text without an encoder, or an adapter for one.

    Raises:
        ExportError: there is no such folder or model.
    """
    if task is not None:
        return task == "text-generation"
    return is_adapter(source) or architecture(source).endswith(("ForCausalLM", "GPT2LMHeadModel"))


@contextlib.contextmanager
def read_decoder(source: str) -> Iterator[DecoderSource]:
    """Load a decoder folder, with a PEFT adapter merged into its base.

    Raises:
        ExportError: no weights, no tokenizer, an unknown architecture, a tokenizer that does not fit the model.
    """
    root = model_folder(source)
    with tempfile.TemporaryDirectory(prefix="cloister-") as merged, tempfile.TemporaryDirectory() as made, quiet():
        folder = _merged(root, Path(merged)) if (root / "adapter_config.json").is_file() else root
        weights = weight_files(folder)
        with as_export_error("the model cannot be loaded", "weights_invalid"):
            config: Any = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
            causal: Any = AutoModelForCausalLM
            model: Any = causal.from_pretrained(
                folder, dtype=torch.float32, local_files_only=True, use_safetensors=True
            ).eval()
        tokenizer: Any = fast_tokenizer(folder)
        if len(tokenizer) > config.vocab_size:
            raise ExportError(
                "the tokenizer has more tokens than the model's embedding table",
                hint="tokenizer and weights are of different models: check the folder",
                code="tokenizer_mismatch",
            )
        template = tokenizer.chat_template
        text, window = tokenizer_json(tokenizer, lowercase=False), window_of(tokenizer, config, 0, None)
        settings = TokenizerSettings(
            file="tokenizer.json", window=window, padding_id=0, token_types=False, first_position=0
        )
        yield DecoderSource(
            name=root.name if Path(source).exists() else source,
            folder=folder,
            scratch=Path(made),
            model=model,
            tokenizer=tokenizer,
            tokenizer_json=text,
            words=TextTokenizer(text.encode(), settings),
            window=window,
            weights_sha256=digest_of(weights),
            settings=_settings(model, tokenizer, template is not None),
            template=template if isinstance(template, str) else None,
        )


def _merged(adapter: Path, scratch: Path) -> Path:
    with as_export_error("the adapter cannot be merged into its base model", "adapter_invalid"):
        from peft import AutoPeftModelForCausalLM
        from transformers import AutoTokenizer

        loaded: Any = AutoPeftModelForCausalLM.from_pretrained(adapter, dtype=torch.float32, local_files_only=True)
        base = loaded.peft_config["default"].base_model_name_or_path
        loaded.merge_and_unload().save_pretrained(scratch)
        words = adapter if (adapter / "tokenizer.json").is_file() else base
        AutoTokenizer.from_pretrained(words, local_files_only=True).save_pretrained(scratch)
    return scratch


def _settings(model: Any, tokenizer: Any, has_template: bool) -> GeneratorSettings:
    config, said = model.config, model.generation_config
    ends = said.eos_token_id if said.eos_token_id is not None else config.eos_token_id
    if ends is None:
        ends = tokenizer.eos_token_id
    ends = [ends] if isinstance(ends, int) else list(ends or [])
    if not ends or max(ends) >= config.vocab_size:
        raise ExportError(
            "neither config nor tokenizer says which token ends a text",
            hint="set eos_token_id in config.json",
            code="tokenizer_mismatch",
        )
    if tokenizer.eos_token_id is not None and config.eos_token_id is not None:
        named = config.eos_token_id if isinstance(config.eos_token_id, list) else [config.eos_token_id]
        if tokenizer.eos_token_id not in {*named, *ends}:
            raise ExportError(
                "the tokenizer and the config name different tokens as the end of a text",
                hint="make eos_token of the tokenizer and eos_token_id of config.json agree",
                code="tokenizer_mismatch",
            )
    heads = config.num_attention_heads
    padding = config.pad_token_id if isinstance(config.pad_token_id, int) and config.pad_token_id >= 0 else ends[0]
    first = tokenizer("a").input_ids[:1]
    sampled = bool(said.do_sample)

    def given(name: str) -> Any:
        return getattr(said, name, None) if sampled else None

    names = ("bos_token", "eos_token", "pad_token", "unk_token")
    return GeneratorSettings(
        model_type=str(config.model_type),
        hidden_size=config.hidden_size,
        layers=config.num_hidden_layers,
        heads=heads,
        key_value_heads=getattr(config, "num_key_value_heads", None) or heads,
        head_size=getattr(config, "head_dim", None) or config.hidden_size // heads,
        vocabulary=config.vocab_size,
        end_ids=ends,
        padding_id=padding,
        start_id=first[0] if first and first[0] == tokenizer.bos_token_id else None,
        sampling=Sampling(
            temperature=given("temperature") if not sampled else given("temperature") or 1.0,
            top_k=given("top_k"),
            top_p=given("top_p"),
            min_p=given("min_p"),
            repetition_penalty=said.repetition_penalty,
        ),
        chat_template="chat_template.jinja" if has_template else None,
        template_tokens={name: str(getattr(tokenizer, name)) for name in names if getattr(tokenizer, name, None)},
    )


def prompt(source: DecoderSource, text: str) -> list[int]:
    """A text as the prompt it is to this model, at most half its window long."""
    return Chat(source.words, None, source.settings.start_id).tokens(text)[: source.window // 2]
