"""A decoder folder -> a generator: built by onnxruntime-genai's model builder, judged against PyTorch in float32."""

import contextlib
import io
import json
import logging
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from transformers import AutoConfig, AutoModelForCausalLM

from .. import DriftError, ExportError
from ..runtime.chat import Chat
from ..runtime.decoding import Decoder, open_decoder
from ..runtime.genai import model_builder
from ..runtime.manifest import GenerationParity, GeneratorSettings, Parity, Precision, Sampling, TokenizerSettings
from ..runtime.sampling import log_softmax
from ..runtime.tokens import TextTokenizer
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
from .texts import PROBES

Floats = NDArray[np.float32]

PROVIDERS: dict[Precision, str] = {"int4": "cpu", "int8": "cpu", "fp32": "cpu", "fp16": "cuda"}
_PROMPTS, _GREEDY, _TOKENS = 2, 64, 24
_LARGEST = (1 << 31) - (1 << 20)
# Divergence from the source's next-token distribution, mean over probe positions, in nats. fp32 and fp16 differ by
# rounding alone; int8 and int4 by what their weights lose.
_LIMITS: dict[Precision, float] = {"fp32": 1e-4, "fp16": 0.01, "int8": 0.05, "int4": 1.0}


@dataclass(repr=False)
class DecoderSource:
    """A decoder with its tokenizer, ready to build.

    Attributes:
        folder: a complete model folder: the source's, or one into which adapters were merged.
        model: float32, in evaluation mode.
        window: most tokens of prompt and text.
    """

    name: str
    folder: Path
    model: Any
    tokenizer: Any
    tokenizer_json: str
    words: TextTokenizer
    window: int
    weights_sha256: str
    settings: GeneratorSettings
    template: str | None


def is_decoder(source: str, task: str | None) -> bool:
    """Whether a source is a model that writes text without an encoder, or an adapter for one."""
    if task is not None:
        return task == "text-generation"
    root = Path(source)
    if (root / "adapter_config.json").is_file():
        return True
    try:
        named = json.loads((root / "config.json").read_text("utf-8")).get("architectures") or [""]
    except (OSError, ValueError, AttributeError):
        return False
    return str(named[0]).endswith(("ForCausalLM", "GPT2LMHeadModel"))


@contextlib.contextmanager
def read_decoder(source: str) -> Iterator[DecoderSource]:
    """Load a decoder folder, with a PEFT adapter merged into its base.

    Raises:
        ExportError: no weights, no tokenizer, an unknown architecture, a tokenizer that does not fit the model.
    """
    root = model_folder(source)
    with tempfile.TemporaryDirectory(prefix="cloister-") as scratch, quiet():
        folder = _merged(root, Path(scratch)) if (root / "adapter_config.json").is_file() else root
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


@dataclass(repr=False)
class Built:
    """A graph of one precision with its figures.

    Attributes:
        graph: a serialized ONNX model, its weights inside.
        golden: logits after each golden prompt.
    """

    graph: bytes
    model_type: str
    parity: Parity
    figures: GenerationParity
    golden: list[Floats]
    quantized: int
    left: int


GOLDEN: tuple[str, ...] = PROBES[:4]


def build(source: DecoderSource, precision: Precision, threads: int) -> Built:
    """Build a precision's graph, run it and compare.

    Raises:
        ExportError: the builder does not know the architecture, or the graph is over 2 GiB.
        DriftError: it differs from the source by more than the precision's limit.
    """
    graph, model_type = _graph(source, precision)
    settings = msgspec.structs.replace(source.settings, model_type=model_type)
    model = onnx.load_model_from_string(graph)
    kinds = [node.op_type for node in model.graph.node]
    quantized, left = kinds.count("MatMulNBits"), kinds.count("MatMul") + kinds.count("Gemm")
    if PROVIDERS[precision] != "cpu":
        raise ExportError(
            "fp16 is made for CUDA, and is not compared without it",
            hint="use --precision int4, int8 or fp32",
            code="precision_unsupported",
        )
    decoder = open_decoder(graph, settings, source.window, provider="cpu", threads=threads)
    with as_export_error("the graph that was built does not run", "export_failed"):
        parity, figures = _compare(source, decoder)
    if precision == "fp32" and figures.greedy_equal != figures.greedy_steps:
        raise _drift(f"{figures.greedy_equal} of {figures.greedy_steps} greedy tokens are the source's")
    if not figures.kl_mean <= _LIMITS[precision]:
        raise _drift(f"divergence {figures.kl_mean:.3g} nats, allowed are {_LIMITS[precision]:g}")
    golden = [decoder.sequence(source.window).append(_prompt(source, text)) for text in GOLDEN]
    return Built(graph, model_type, parity, figures, golden, quantized, left)


def _drift(what: str) -> DriftError:
    return DriftError(
        f"the exported generator differs from the source model: {what}",
        hint="try --precision int8 or fp32, and report the architecture",
    )


def _graph(source: DecoderSource, precision: Precision) -> tuple[bytes, str]:
    builder: Any = model_builder()
    provider = PROVIDERS[precision]
    with tempfile.TemporaryDirectory(prefix="cloister-") as scratch:
        where = ["", str(source.folder), f"{scratch}/out", precision, provider, f"{scratch}/cache"]
        try:
            with _silent():
                options = builder.parse_extra_options(*where, ["hf_token=false", "prune_lm_head=true"])
                builder.create_model(*where, **options)
        except NotImplementedError as error:
            raise ExportError(
                f"the architecture {source.model.config.architectures[0]} cannot be exported as a generator",
                hint="docs/generation.md lists what is supported",
                code="architecture_unsupported",
            ) from error
        except Exception as error:
            raise ExportError(
                "the model builder of onnxruntime-genai failed on this model",
                hint="check that the folder is complete; docs/generation.md lists supported architectures",
                code="export_failed",
            ) from error
        out = Path(scratch, "out")
        if sum(path.stat().st_size for path in out.glob("model.onnx*")) > _LARGEST:
            raise ExportError(
                "the generator is larger than one ONNX file can be (2 GiB)",
                hint="use --precision int4, or a smaller model",
                code="model_too_large",
            )
        model_type = json.loads((out / "genai_config.json").read_text())["model"]["type"]
        return onnx.load(out / "model.onnx").SerializeToString(), str(model_type)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """The builder prints, and logs every layer."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(before)


def _prompt(source: DecoderSource, text: str) -> list[int]:
    return Chat(source.words, None, source.settings.start_id).tokens(text)[: source.window // 2]


def _compare(source: DecoderSource, decoder: Decoder) -> tuple[Parity, GenerationParity]:
    wanted, got, targets, cosines = [], [], [], []
    prompts = [_prompt(source, text)[:_TOKENS] for text in PROBES]
    for ids in (p for p in prompts if len(p) > 1):
        with torch.no_grad():
            rows = source.model(torch.tensor([ids])).logits[0].float().numpy()
        sequence = decoder.sequence(len(ids) + 1)
        found = np.stack([sequence.append([token]) for token in ids])
        wanted.append(rows)
        got.append(found)
        targets.append(ids[1:])
        a, b = rows.astype(np.float64).ravel(), found.astype(np.float64).ravel()
        cosines.append(float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b) + 1e-30)))
    one, other = np.concatenate(wanted), np.concatenate(got)
    logs = np.stack([log_softmax(row) for row in one]), np.stack([log_softmax(row) for row in other])
    divergence = (np.exp(logs[0]) * (logs[0] - logs[1])).sum(1)
    agreement = float((one.argmax(1) == other.argmax(1)).mean())
    steps, equal = _greedy(source, decoder, prompts[:_PROMPTS])
    parity = Parity(
        samples=len(wanted),
        cosine_min=min(cosines),
        cosine_mean=float(np.mean(cosines)),
        max_abs_error=float(np.abs(one - other).max()),
        label_agreement=agreement,
    )
    figures = GenerationParity(
        kl_mean=float(divergence.mean()),
        kl_max=float(divergence.max()),
        top1_agreement=agreement,
        perplexity=_perplexity(got, targets),
        source_perplexity=_perplexity(wanted, targets),
        greedy_steps=steps,
        greedy_equal=equal,
    )
    return parity, figures


def _perplexity(rows: Sequence[Floats], targets: Sequence[Sequence[int]]) -> float:
    lost = [-log_softmax(row)[t] for table, ids in zip(rows, targets, strict=True) for row, t in zip(table, ids)]  # noqa: B905 - the last row has no target
    return float(np.exp(min(float(np.mean(lost)), 700.0)))


def _greedy(source: DecoderSource, decoder: Decoder, prompts: Sequence[list[int]]) -> tuple[int, int]:
    """Greedy steps against transformers' own generate: how many it made, and how many are the same from the first."""
    total = equal = 0
    for ids in prompts:
        most = min(_GREEDY, source.window - len(ids))
        with torch.no_grad():
            whole = source.model.generate(
                torch.tensor([ids]),
                attention_mask=torch.ones(1, len(ids), dtype=torch.long),
                max_new_tokens=most,
                do_sample=False,
                num_beams=1,
                repetition_penalty=1.0,
                pad_token_id=source.settings.padding_id,
            )
        wanted = whole[0, len(ids) :].tolist()
        sequence = decoder.sequence(len(ids) + len(wanted) + 1)
        logits = sequence.append(ids)
        total += len(wanted)
        for token in wanted:
            if int(logits.argmax()) != token:
                break
            equal += 1
            logits = sequence.append([token])
    return total, equal
