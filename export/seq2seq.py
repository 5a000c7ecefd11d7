"""Export of encoder-decoders: read, convert the tokenizers, trace, quantize, compare with `generate`, write."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx_ir as ir
import torch
from transformers import AutoConfig, AutoModelForSeq2SeqLM, AutoTokenizer, GenerationConfig

from .. import DriftError, ExportError, InvalidInput, __version__
from ..runtime import bundle, golden
from ..runtime.decoder import Decoder
from ..runtime.heads import softmax
from ..runtime.languages import Languages
from ..runtime.manifest import (
    FORMAT_VERSION,
    Component,
    Manifest,
    Parity,
    Precision,
    Task,
    TokenizerSettings,
    Variant,
)
from ..runtime.manifest import Source as Provenance
from ..runtime.packing import Tokens, pack
from ..runtime.processor import available_threads
from ..runtime.search import Floats
from ..runtime.seq2seq import EncoderDecoder, plain_tokens, rules_of
from ..runtime.session import Session
from ..runtime.tokens import TextTokenizer
from ..runtime.translation import SOURCE_LANGUAGE, EncoderDecoderSettings
from . import calibrate, quantize, sentencepieces
from .graph import strip
from .parity import LIMITS
from .source import _as_export_error, _digest, _folder, _weight_files, architecture, quiet
from .store import store
from .texts import CALIBRATION, PROBES
from .trace_seq2seq import Graphs, trace

TASKS = ("translation", "summarization", "text2text-generation")
_PRECISIONS = ("int8", "fp32")
_LIBRARIES = ("torch", "transformers", "onnx", "onnxscript", "onnxruntime", "tokenizers")
_MOST_TOKENS = 1024
_STEPS = 8
_SEARCHED = 24
_PROBES = 10
_LANGUAGE = re.compile(r"__([a-z]{2,3})__|>>(\S+)<<|([a-z]{3}_[A-Z][a-z]{3}|[a-z]{2}_[A-Z]{2})")

Step = Callable[[str], AbstractContextManager[Any]]

# What generation configs may ask beside what the search does; a value other than these is refused.
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "num_beam_groups": (None, 1),
    "diversity_penalty": (None, 0.0),
    "encoder_repetition_penalty": (None, 1.0),
    "encoder_no_repeat_ngram_size": (None, 0),
    "sequence_bias": (None,),
    "guidance_scale": (None, 1, 1.0),
    "exponential_decay_length_penalty": (None,),
    "begin_suppress_tokens": (None, []),
    "constraints": (None,),
    "force_words_ids": (None,),
    "penalty_alpha": (None, 0, 0.0),
    "renormalize_logits": (None, False),
    "typical_p": (None, 1.0),
    "epsilon_cutoff": (None, 0.0),
    "eta_cutoff": (None, 0.0),
}


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


@dataclass(frozen=True, repr=False)
class _Made:
    """A variant's graphs, encoder and decoder, and how many linear layers of each are in integers."""

    graphs: tuple[ir.Model, ir.Model]
    quantized: list[int]


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
    folder = _folder(source)
    with _as_export_error("the model's config.json cannot be read", "config_invalid"):
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    if not getattr(config, "is_encoder_decoder", False):
        raise ExportError("the model is no encoder-decoder", hint="check --task", code="architecture_unsupported")
    weights = _weight_files(folder)
    with _as_export_error("the model cannot be loaded", "model_unreadable"), quiet():
        model, info = AutoModelForSeq2SeqLM.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, local_files_only=True, output_loading_info=True
        )
    if info["missing_keys"]:
        raise ExportError(
            f"{len(info['missing_keys'])} tensors of the model are not among the weights",
            hint="the weights are of another model: check the folder",
            code="head_missing",
        )
    with _as_export_error("the tokenizer cannot be loaded", "tokenizer_invalid"), quiet():
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
        weights_sha256=_digest(weights),
        window=min(limits),
    )


def settings_of(loaded: Loaded, graphs: Graphs) -> EncoderDecoderSettings:
    """What the bundle says of sources, targets and search; puts the tokenizers' files into `loaded.files`.

    Raises:
        ExportError: a generation config with something that the search does not do.
    """
    config, generation, tokenizer = loaded.model.config, loaded.generation, loaded.tokenizer
    for name, neutral in _NEUTRAL.items():
        if getattr(generation, name, None) not in neutral:
            raise ExportError(
                f"the model's generation config sets {name}, which is not supported",
                hint="remove it from generation_config.json if the model does not need it",
                code="generation_unsupported",
            )
    bad = generation.bad_words_ids or []
    if any(len(words) != 1 for words in bad):
        raise ExportError(
            "the model's generation config suppresses words of several tokens, which is not supported",
            hint="remove bad_words_ids from generation_config.json if the model does not need them",
            code="generation_unsupported",
        )
    start = generation.decoder_start_token_id
    start = getattr(config, "decoder_start_token_id", None) if start is None else start
    ends = generation.eos_token_id if isinstance(generation.eos_token_id, list) else [generation.eos_token_id]
    if start is None or ends == [None]:
        raise ExportError(
            "the model's config names no decoder_start_token_id or no eos_token_id",
            hint="set them in config.json or generation_config.json",
            code="config_invalid",
        )
    languages, codes = _languages(loaded)
    before, after = _around(tokenizer, set(languages.values()))
    source_ids, target = _tokenizers(loaded)
    suppressed = {words[0] for words in bad if words[0] not in ends} | set(generation.suppress_tokens or [])
    longest = int(generation.max_length or 0)
    family = config.model_type
    forced = generation.forced_bos_token_id
    first_is_language = bool(languages) and family in ("m2m_100", "mbart")
    specific = (getattr(config, "task_specific_params", None) or {}) if family in ("t5", "mt5") else {}
    default_target = next((c for c, i in languages.items() if first_is_language and i == forced), None)
    last = generation.forced_eos_token_id
    return EncoderDecoderSettings(
        layers=len(graphs.parts.own),
        heads=graphs.parts.heads,
        head_size=graphs.parts.head_size,
        vocabulary=config.vocab_size,
        start_id=start,
        end_ids=ends,
        longest=min(longest if longest > 20 else loaded.window, loaded.window),
        before=before,
        after=after,
        source_ids=source_ids,
        target_tokenizer=target,
        special_ids=sorted({int(i) for i in tokenizer.all_special_ids} | set(languages.values())),
        languages=languages,
        target_as="first token" if first_is_language else "source token" if languages else "none",
        default_source=codes,
        default_target=default_target,
        prefixes=_prefixes(loaded.task, specific),
        forced_first_id=forced,
        forced_last_id=last[0] if isinstance(last, list) else last,
        suppressed=sorted(suppressed),
        num_beams=generation.num_beams or 1,
        length_penalty=1.0 if generation.length_penalty is None else float(generation.length_penalty),
        early_stopping=cast(Any, generation.early_stopping or False),
        no_repeat_ngram_size=generation.no_repeat_ngram_size or 0,
        repetition_penalty=float(generation.repetition_penalty or 1.0),
        min_length=generation.min_length or 0,
    )


def _prefixes(task: Task, specific: Mapping[str, Any]) -> dict[str, str]:
    """T5's words before a source: of the task, and of each translation it was trained for, by its target."""
    found = {}
    for name, settings in specific.items():
        prefix = settings.get("prefix") if isinstance(settings, dict) else None
        if prefix and name == task:
            found[""] = prefix
        if prefix and task == "translation" and name.startswith("translation_"):
            found[name.rsplit("_", 1)[-1]] = prefix
    return found


def _languages(loaded: Loaded) -> tuple[dict[str, int], str | None]:
    tokenizer, family = loaded.tokenizer, loaded.model.config.model_type
    if family not in ("marian", "m2m_100", "mbart"):
        return {}, None
    vocabulary = tokenizer.encoder if family == "marian" else None
    names = (
        list(vocabulary)
        if vocabulary is not None
        else tokenizer.all_special_tokens + list(getattr(tokenizer, "extra_special_tokens", None) or [])
    )
    names += [str(t) for t in tokenizer.added_tokens_encoder]
    found: dict[str, int] = {}
    for name in dict.fromkeys(map(str, names)):
        match = _LANGUAGE.fullmatch(name)
        if match is not None and (family == "marian") == (match.group(2) is not None):
            found[next(g for g in match.groups() if g)] = int(tokenizer.convert_tokens_to_ids(name))
    return found, getattr(tokenizer, "src_lang", None) if found and family != "marian" else None


def _around(tokenizer: Any, languages: set[int]) -> tuple[list[int], list[int]]:
    plain = tokenizer("a", add_special_tokens=False)["input_ids"]
    whole = tokenizer("a")["input_ids"]
    for start in range(len(whole) - len(plain) + 1):
        if whole[start : start + len(plain)] == plain:
            around = whole[:start], whole[start + len(plain) :]
            named = [[SOURCE_LANGUAGE if i in languages else i for i in side] for side in around]
            return named[0], named[1]
    raise ExportError(
        "the tokenizer adds special tokens inside a text", hint="report this tokenizer", code="tokenizer_unsupported"
    )


def _tokenizers(loaded: Loaded) -> tuple[str | None, str | None]:
    """Put `tokenizer.json`, and where they are needed ids and the target's tokenizer, among the files."""
    tokenizer, files = loaded.tokenizer, loaded.files
    backend = getattr(tokenizer, "backend_tokenizer", None) if tokenizer.is_fast else None
    if backend is not None:
        data = json.loads(backend.to_str())
        data["truncation"] = data["padding"] = data["post_processor"] = None
        files["tokenizer.json"] = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
        return None, None
    pair = getattr(tokenizer, "spm_files", None) or [getattr(tokenizer, "spm_file", None)]
    if pair[0] is None:
        raise ExportError(
            "the tokenizer has no fast form", hint="convert it with transformers first", code="tokenizer_unsupported"
        )
    with _as_export_error("the SentencePiece model cannot be read", "tokenizer_invalid"):
        model = sentencepieces.read(Path(pair[0]))
    vocabulary = dict(tokenizer.encoder)
    target = dict(getattr(tokenizer, "target_encoder", vocabulary))
    files["tokenizer.json"] = sentencepieces.tokenizer(model).encode()
    files["source.ids"] = sentencepieces.ids(model, vocabulary, vocabulary[str(tokenizer.unk_token)])
    files["target.json"] = sentencepieces.target_tokenizer(target).encode()
    return "source.ids", "target.json"


def _same_tokens(loaded: Loaded, languages: Languages, settings: EncoderDecoderSettings) -> None:
    """Cloister's source ids and target texts must be the source's.

    Raises:
        ExportError: they are not.
    """
    tokenizer = loaded.tokenizer
    some = next(iter(settings.languages), None)
    reads = SOURCE_LANGUAGE in [*settings.before, *settings.after]
    random = np.random.default_rng(0)
    for text in (*PROBES, "  two  spaces ", "e\u0301 \ufb01 ½", "???"):
        text = text[: loaded.window // 3]  # a byte or two for a token, and room for prefix and language
        ours = languages.encode([text], settings.default_source if reads else None, settings.default_target or some)
        prefix = settings.prefixes.get(settings.default_target or "", "")
        head = f">>{some}<<" if settings.target_as == "source token" else ""
        theirs = tokenizer(head + prefix + text)["input_ids"]
        written: list[int] = random.integers(0, min(len(tokenizer), settings.vocabulary), 12).tolist()
        wanted = tokenizer.decode(written, skip_special_tokens=True)
        if theirs != ours[0][0].ids.tolist() or wanted.split() != languages.decode(written).split():
            raise ExportError(
                "the tokenizer gives other tokens or texts outside transformers",
                hint="save it with a recent transformers (tokenizer.save_pretrained) and export again",
                code="tokenizer_mismatch",
            )


def export(
    source: str,
    target: Path,
    *,
    task: str | None,
    precisions: Sequence[Precision],
    calibration: Sequence[str] | None,
    provenance: Mapping[str, str],
    force: bool,
    step: Step,
) -> tuple[Manifest, dict[str, bytes], str]:
    """Export an encoder-decoder; see `pipeline.export`. Returns manifest, files and digest of what was written."""
    if not set(precisions) <= set(_PRECISIONS):
        raise InvalidInput("encoder-decoders have no such precision", hint=f"one of {', '.join(_PRECISIONS)}")
    with step("Reading the model"):
        loaded = read(source, task)
    with step("Tracing the graphs"):
        graphs = trace(loaded.model)
    settings = settings_of(loaded, graphs)
    tokens_settings = TokenizerSettings(
        file="tokenizer.json", window=loaded.window, padding_id=0, token_types=False, first_position=0
    )
    tokenizer = TextTokenizer(loaded.files["tokenizer.json"], tokens_settings)
    languages = Languages(tokenizer, tokens_settings, settings, loaded.files)
    _same_tokens(loaded, languages, settings)
    texts = list(CALIBRATION if calibration is None else calibration)
    made: dict[Precision, _Made] = {}
    for name in precisions:
        with step(f"Preparing {name}"):
            made[name] = _variant(graphs, name, settings, _tokens(languages, settings, texts)[:64])
    stored = [
        store({str(n): m.graphs[i] for n, m in made.items()}, kind) for i, kind in enumerate(("encoder", "decoder"))
    ]
    files = dict(loaded.files)
    variants: list[list[Variant]] = [[], []]
    outputs: dict[str, list[Floats]] = {}
    probes = _tokens(languages, settings, list(PROBES))[:_PROBES]
    golden_texts = list(PROBES[:_PROBES])
    replayed = plain_tokens(tokenizer, settings, golden_texts)
    with step("Comparing with the source model"):
        wanted = [_forced(loaded.model, one, settings) for one in probes]
        for name in precisions:
            parts = [s[name] for s in stored]
            sessions = [Session(p.graph, p.files, provider="cpu", threads=available_threads()) for p in parts]
            model = EncoderDecoder(sessions[0], Decoder(sessions[1], settings))
            got = [model.forced(one, one.ids[:_STEPS].tolist(), settings.start_id) for one in probes]
            figures = _compare(wanted, got)
            _gate(figures, wanted, name)
            if name == "fp32":
                _same_search(loaded, model, probes, settings)
            outputs[name] = [model.forced(t, t.ids[:_STEPS].tolist(), settings.start_id) for t in replayed]
            largest = max(float(np.abs(o).max()) for o in got)
            for index, kind in enumerate(("encoder", "decoder")):
                of = stored[index][name]
                graph = f"{kind}.onnx" if len(made) == 1 else f"{kind}.{name}.onnx"
                files |= {graph: of.graph, **of.files}
                variants[index].append(
                    Variant(
                        name=name,
                        precision=name,
                        path="packed" if kind == "encoder" else "cached",
                        path_reason="all attention layers fused"
                        if kind == "encoder"
                        else "one token at a time, keys and values kept",
                        graph=graph,
                        weights=of.weights,
                        shared=of.shared,
                        providers=["cpu"],
                        cpu_features=[],
                        saturation_safe=True if name == "int8" else None,
                        quantized_nodes=made[name].quantized[index],
                        float_nodes=0,
                        parity=figures,
                        tolerance={"int8": 0.1, "fp32": 0.002}[name] * max(largest, 1e-6),
                    )
                )
        files["golden.json"] = golden.encode(golden_texts, outputs)
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        task=loaded.task,
        labels=[],
        problem=None,
        pooling=None,
        normalized=False,
        tokenizer=tokens_settings,
        components=[Component(kind=kind, variants=variants[i]) for i, kind in enumerate(("encoder", "decoder"))],
        golden="golden.json",
        source=Provenance(
            name=loaded.name,
            architecture=type(loaded.model).__name__,
            model_type=str(loaded.model.config.model_type),
            weights_sha256=loaded.weights_sha256,
            versions={"cloister": __version__} | {name: version(name) for name in _LIBRARIES},
            calibration="none" if set(precisions) <= {"fp32"} else "built-in" if calibration is None else "user",
            provenance=dict(provenance),
        ),
        files=[bundle.file_entry(name, data) for name, data in sorted(files.items())],
        encoder_decoder=settings,
    )
    with step("Writing the bundle"):
        digest = bundle.write(target, manifest, files, force=force)
    return manifest, files, digest


def _tokens(languages: Languages, settings: EncoderDecoderSettings, texts: Sequence[str]) -> list[Tokens]:
    some = next(iter(settings.languages), None)
    reads = SOURCE_LANGUAGE in [*settings.before, *settings.after]
    target = settings.default_target or (some if settings.target_as != "none" else None)
    source = (settings.default_source or some) if reads else None
    found = []
    for text in texts:
        try:
            found.append(languages.encode([text], source, target)[0][0])
        except InvalidInput:  # over the window, or without any token
            continue
    return found


def _variant(graphs: Graphs, name: Precision, settings: EncoderDecoderSettings, texts: Sequence[Tokens]) -> _Made:
    models = graphs.encoder.clone(), graphs.decoder.clone()
    counts = [0, 0]
    if name == "int8":
        feeds = _feeds(graphs, settings, texts)
        for index, model in enumerate(models):
            found = quantize.linears(model.graph, "")
            observed = calibrate.observe_runs(model, found, feeds[index], available_threads())
            quantize.quantize(model, found, quantize.plan(found, observed))
            quantize.quantize_tables(model)
            counts[index] = sum(len(p) for layer in found for p in layer.products)
    for model in models:
        strip(model)
    return _Made(models, counts)


def _feeds(
    graphs: Graphs, settings: EncoderDecoderSettings, texts: Sequence[Tokens]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What both graphs read for calibration texts: sources, and steps of their own first ids as targets."""
    ready = [store({"fp32": graph}, "calibration")["fp32"] for graph in (graphs.encoder, graphs.decoder)]
    sessions = [Session(r.graph, r.files, provider="cpu", threads=available_threads()) for r in ready]
    decoder = Decoder(sessions[1], settings)
    first, second = [], []
    for begin in range(0, len(texts), 8):
        members = texts[begin : begin + 8]
        arrays = pack(members, 0)
        first.append(cast(dict[str, Any], arrays))
        batch = decoder.begin(sessions[0].run(arrays), arrays["lengths"].astype(np.int32))
        for place in range(4):
            ids = [settings.start_id if place == 0 else int(m.ids[(place - 1) % len(m)]) for m in members]
            second.append(batch.feeds(np.array(ids, np.int64)))
            batch.step(np.array(ids, np.int64))
    return first, second


def _forced(model: Any, tokens: Tokens, settings: EncoderDecoderSettings) -> Floats:
    ids = torch.from_numpy(tokens.ids)[None]
    target = torch.tensor([[settings.start_id, *tokens.ids[: _STEPS - 1].tolist()]])
    target = target[:, : len(tokens.ids[:_STEPS])]
    with torch.no_grad():
        return cast(Floats, model(input_ids=ids, decoder_input_ids=target).logits[0].numpy())


def _compare(wanted: Sequence[Floats], got: Sequence[Floats]) -> Parity:
    cosines = [
        float((a.ravel() @ b.ravel()) / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-12))
        for a, b in zip(wanted, got, strict=True)
    ]
    a, b = np.concatenate(wanted), np.concatenate(got)
    pa, pb = softmax(a), softmax(b)
    best = pa.argmax(1)
    rows = np.arange(len(best))
    return Parity(
        samples=len(wanted),
        cosine_min=min(cosines),
        cosine_mean=float(np.mean(cosines)),
        max_abs_error=float(np.abs(a - b).max()),
        label_agreement=float((best == pb.argmax(1)).mean()),
        mean_probability_shift=float(np.abs(pa[rows, best] - pb[rows, best]).mean()),
    )


def _gate(figures: Parity, wanted: Sequence[Floats], name: str) -> None:
    limits = LIMITS[name]
    relative = figures.max_abs_error / max(max(float(np.abs(w).max()) for w in wanted), 1e-6)
    for failed, what in (
        (not figures.cosine_mean >= limits.cosine_mean, f"mean cosine {figures.cosine_mean:.5f}"),
        (not figures.cosine_min >= limits.cosine_min, f"least cosine {figures.cosine_min:.5f}"),
        (not relative <= limits.relative_error, f"relative error {relative:.4f}"),
    ):
        if failed:
            raise DriftError(
                f"the {name} graphs drift from the source model: {what} of the logits",
                hint="give texts of your domain with --calibration, or export with --precision fp32",
                code="parity_failed",
            )


def _same_search(
    loaded: Loaded, model: EncoderDecoder, probes: Sequence[Tokens], settings: EncoderDecoderSettings
) -> None:
    """In float the search must write what transformers' `generate` writes, greedily and with beams, token for token.

    Raises:
        DriftError: it does not.
    """
    first = settings.forced_first_id
    if settings.target_as == "first token":
        first = settings.languages[settings.default_target or next(iter(settings.languages))]
    for width in (1, 4):
        rules = replace(rules_of(settings, first, _SEARCHED), num_beams=width)
        ours = model.search(probes, rules)
        for tokens, target in zip(probes, ours, strict=True):
            with quiet(), torch.no_grad():
                theirs = loaded.model.generate(
                    input_ids=torch.from_numpy(tokens.ids)[None],
                    attention_mask=torch.ones(1, len(tokens), dtype=torch.long),
                    num_beams=width,
                    do_sample=False,
                    max_length=_SEARCHED,
                    forced_bos_token_id=first,
                )[0].tolist()
            if theirs != target:
                raise DriftError(
                    f"with {width} beams the search writes something else than the source model's generate",
                    hint="report this with the model's config and generation config",
                    code="parity_failed",
                )
