"""What every reading of a model folder shares: where it is, its weights and their digest, its tokenizer, its errors."""

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import transformers
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from .. import ExportError

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
_HUB_PATTERNS = ["*.json", "*.txt", "*.safetensors", "*.model", "*/config.json"]
_TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "sentencepiece.bpe.model")
_MOST_TOKENS = 8192
"""Largest window of a bundle: attention's memory grows with its square."""


def model_folder(source: str) -> Path:
    """The folder of a model: given as such, or downloaded by its hub id.

    Raises:
        ExportError: neither a folder nor a model that could be downloaded.
    """
    if source and Path(source).is_dir():
        return Path(source).resolve()
    if Path(source).exists() or source.startswith((".", "/", "~")) or not _HUB_ID.fullmatch(source):
        raise ExportError("there is no model folder at the given path", hint="check SOURCE", code="source_not_found")
    from huggingface_hub import snapshot_download

    with as_export_error(
        "SOURCE is neither a folder nor a model that could be downloaded",
        "source_not_found",
        hint="check the spelling, the network and HF_HUB_OFFLINE",
    ):
        return Path(snapshot_download(source, allow_patterns=_HUB_PATTERNS))


def architecture(source: str) -> str:
    """The class that a model folder's or hub id's config names first; empty where it names none.

    Raises:
        ExportError: there is no such folder or model.
    """
    try:
        config = json.loads((model_folder(source) / "config.json").read_text("utf-8"))
        return str((config.get("architectures") or [""])[0])
    except (OSError, ValueError, AttributeError):
        return ""


def is_adapter(source: str) -> bool:
    """Whether a source is a PEFT adapter; raises as `architecture`."""
    return (model_folder(source) / "adapter_config.json").is_file()


@contextmanager
def as_export_error(message: str, code: str, hint: str = "load it with transformers to see why") -> Iterator[None]:
    """What the libraries below raise for a bad folder has no common base; it becomes one kind of error."""
    try:
        yield
    except ExportError:
        raise
    except Exception as error:
        raise ExportError(message, hint=hint, code=code) from error


def weight_files(folder: Path) -> list[Path]:
    """A folder's safetensors files, in the order of their names.

    Raises:
        ExportError: there are none.
    """
    files = sorted(folder.glob("*.safetensors"))
    if files:
        return files
    if any(folder.glob("*.bin")) or any(folder.glob("*.pt")):
        raise ExportError(
            "the folder has weights in pickle files only, which can run code when loaded",
            hint="convert them where you trust them: model.save_pretrained(folder) writes safetensors",
            code="weights_missing",
        )
    raise ExportError(
        "the model folder has no weights",
        hint="there must be a model.safetensors beside config.json",
        code="weights_missing",
    )


def digest_of(files: list[Path]) -> str:
    """SHA-256 over the contents of files, one after another."""
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers' progress bars and reports off stderr: Cloister reports what matters itself."""
    settings: Any = transformers.logging
    level, bars = settings.get_verbosity(), settings.is_progress_bar_enabled()
    settings.set_verbosity_error()
    settings.disable_progress_bar()
    try:
        yield
    finally:
        settings.set_verbosity(level)
        if bars:
            settings.enable_progress_bar()


def fast_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """A folder's tokenizer.

    Raises:
        ExportError: there is none, it cannot be read, or has no form for the tokenizers library.
    """
    if not any((folder / name).is_file() for name in _TOKENIZER_FILES):
        raise ExportError(
            "the model folder has no tokenizer",
            hint="tokenizer.save_pretrained(folder) writes it beside the weights",
            code="tokenizer_missing",
        )
    with as_export_error("the tokenizer cannot be loaded", "tokenizer_invalid"):
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    if not tokenizer.is_fast:
        raise ExportError(
            "the tokenizer has no fast form", hint="convert it with transformers first", code="tokenizer_unsupported"
        )
    return cast(PreTrainedTokenizerBase, tokenizer)


def tokenizer_json(tokenizer: PreTrainedTokenizerBase, *, lowercase: bool) -> str:
    """The tokenizer as a `tokenizer.json` without truncation and padding."""
    data = json.loads(cast(Any, tokenizer).backend_tokenizer.to_str())
    data["truncation"] = data["padding"] = None
    if lowercase:
        steps = [{"type": "Lowercase"}] + ([data["normalizer"]] if data["normalizer"] else [])
        data["normalizer"] = {"type": "Sequence", "normalizers": steps}
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def window_of(tokenizer: PreTrainedTokenizerBase, config: Any, first_position: int, asked: int | None) -> int:
    """Most tokens of a text, special tokens included: the least of what tokenizer, config and `asked` say."""
    limits = [int(asked)] if asked else []
    if tokenizer.model_max_length < 1_000_000:  # transformers' mark for "unknown" is far above
        limits.append(int(tokenizer.model_max_length))
    positions = getattr(config, "max_position_embeddings", None)
    if isinstance(positions, int) and positions > 0:
        limits.append(positions - first_position)
    return min([*limits, _MOST_TOKENS]) if limits else 512
