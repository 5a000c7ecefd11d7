"""Export of encoder-decoders: read, convert the tokenizers, trace, quantize, compare with `generate`, write."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx_ir as ir

from .. import InvalidInput
from ..runtime import bundle, golden
from ..runtime.decoder import Decoder
from ..runtime.languages import Languages
from ..runtime.manifest import FORMAT_VERSION, Component, Manifest, Precision, TokenizerSettings, Variant
from ..runtime.manifest import Source as Provenance
from ..runtime.packing import Tokens, pack
from ..runtime.processor import available_threads
from ..runtime.search import Floats
from ..runtime.seq2seq import EncoderDecoder, plain_tokens
from ..runtime.session import Session
from ..runtime.tokens import TextTokenizer
from ..runtime.translation import EncoderDecoderSettings
from . import calibrate, quantize
from .graph import strip, turn_constants
from .origin import versions
from .seq2seq_parity import STEPS, compare, forced_logits, gate, same_search
from .seq2seq_settings import settings_of
from .seq2seq_source import read
from .seq2seq_tokens import same_tokens
from .steps import Step
from .store import store
from .texts import CALIBRATION, PROBES
from .trace_seq2seq import Graphs, trace

_PRECISIONS = ("int8", "fp32")
_PROBES = 10


@dataclass(frozen=True, repr=False)
class _Made:
    """A variant's graphs, encoder and decoder, and how many linear layers of each are in integers."""

    graphs: tuple[ir.Model, ir.Model]
    quantized: list[int]


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
) -> tuple[Manifest, str]:
    """Export an encoder-decoder; see `pipeline.export`. Returns manifest and digest of what was written."""
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
    same_tokens(loaded, languages, settings)
    texts = list(CALIBRATION if calibration is None else calibration)
    made: dict[Precision, _Made] = {}
    for name in precisions:
        with step(f"Preparing {name}"):
            made[name] = _variant(graphs, name, settings, _tokens(languages, texts)[:64])
    stored = [
        store({str(n): m.graphs[i] for n, m in made.items()}, kind) for i, kind in enumerate(("encoder", "decoder"))
    ]
    files = dict(loaded.files)
    variants: list[list[Variant]] = [[], []]
    outputs: dict[str, list[Floats]] = {}
    probes = _tokens(languages, list(PROBES))[:_PROBES]
    opening = languages.encode(["?"], *languages.some())[1]
    golden_texts = list(PROBES[:_PROBES])
    replayed = plain_tokens(tokenizer, settings, golden_texts)
    with step("Comparing with the source model"):
        wanted = [forced_logits(loaded.model, one, settings) for one in probes]
        for name in precisions:
            parts = [s[name] for s in stored]
            sessions = [Session(p.graph, p.files, provider="cpu", threads=available_threads()) for p in parts]
            model = EncoderDecoder(sessions[0], Decoder(sessions[1], settings))
            got = [model.forced(one, one.ids[:STEPS].tolist(), settings.start_id) for one in probes]
            figures = compare(wanted, got)
            gate(figures, wanted, name)
            if name == "fp32":
                same_search(loaded, model, probes, opening, settings)
            outputs[name] = [model.forced(t, t.ids[:STEPS].tolist(), settings.start_id) for t in replayed]
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
            versions=versions(),
            calibration="none" if set(precisions) <= {"fp32"} else "built-in" if calibration is None else "user",
            provenance=dict(provenance),
        ),
        files=[bundle.file_entry(name, data) for name, data in sorted(files.items())],
        encoder_decoder=settings,
    )
    with step("Writing the bundle"):
        digest = bundle.write(target, manifest, files, force=force)
    return manifest, digest


def _tokens(languages: Languages, texts: Sequence[str]) -> list[Tokens]:
    found = []
    for text in texts:
        try:
            found.append(languages.encode([text], *languages.some())[0][0])
        except InvalidInput:  # over the window, or without any token
            continue
    return found


def _variant(graphs: Graphs, name: Precision, settings: EncoderDecoderSettings, texts: Sequence[Tokens]) -> _Made:
    models = graphs.encoder.clone(), graphs.decoder.clone()
    counts = [0, 0]
    if name == "int8":
        turn_constants(models[1].graph)  # an output layer that shares its weights with the embeddings
        feeds = _feeds(graphs, settings, texts)
        for index, model in enumerate(models):
            found = quantize.linears(model.graph, "")
            observed = calibrate.observe_runs(model, found, feeds[index], available_threads())
            # Steps by rows alone: a few given target tokens do not show what a decoder's values reach later on.
            quantize.quantize(model, found, quantize.plan(found, observed, loss=0.0))
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
