"""How fast does a decoder write? Qwen3-0.6B's shape in int4, beside a bare onnxruntime-genai loop and transformers.

    python -m benchmarks.decoder_model          # makes and exports the model, once: some minutes, 4 GB under .work
    python -m benchmarks.decode [--parts one,streams] [--rounds 5] [--tokens 32] [--threads 2]

Weights are random, so every side writes as many tokens as it is asked for, greedily. Rounds are interleaved: each
measures every side once, and a figure is the median over the rounds of the ratio within a round. Times are of the whole
call, the short prompt included.
"""

import argparse
import json
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.decoder_model import SHAPE, WORK, bundle, folder
from cloister.runtime import GenerationOptions, Options, load
from cloister.runtime.manifest import GeneratorSettings

Write = Callable[[], int]
PROMPT = "Once upon a time"


def bare(graph: bytes, settings: GeneratorSettings, prompt: Sequence[int], tokens: int, threads: int) -> Write:
    """The loop of onnxruntime-genai's own examples over the same graph."""
    import onnxruntime_genai as genai

    where = WORK / "genai"
    where.mkdir(parents=True, exist_ok=True)
    (where / "model.onnx").write_bytes(graph)
    decoder = {
        "session_options": {"log_id": "onnxruntime-genai", "intra_op_num_threads": threads, "provider_options": []},
        "filename": "model.onnx",
        "head_size": settings.head_size,
        "hidden_size": settings.hidden_size,
        "num_attention_heads": settings.heads,
        "num_hidden_layers": settings.layers,
        "num_key_value_heads": settings.key_value_heads,
        "inputs": {
            "input_ids": "input_ids",
            "attention_mask": "attention_mask",
            "past_key_names": "past_key_values.%d.key",
            "past_value_names": "past_key_values.%d.value",
        },
        "outputs": {
            "logits": "logits",
            "present_key_names": "present.%d.key",
            "present_value_names": "present.%d.value",
        },
    }
    model = {
        "type": settings.model_type,
        "context_length": SHAPE["max_position_embeddings"],
        "vocab_size": settings.vocabulary,
        "eos_token_id": settings.end_ids,
        "pad_token_id": settings.padding_id,
        "decoder": decoder,
    }
    search = {"max_length": SHAPE["max_position_embeddings"], "past_present_share_buffer": True}
    (where / "genai_config.json").write_text(json.dumps({"model": model, "search": search}))
    loaded = genai.Model(str(where))

    def write() -> int:
        params = genai.GeneratorParams(loaded)
        params.set_search_options(max_length=len(prompt) + tokens, do_sample=False)
        generator = genai.Generator(loaded, params)
        generator.append_tokens(np.asarray(prompt, np.int32))
        written = 0
        while not generator.is_done() and written < tokens:
            generator.generate_next_token()
            generator.get_next_tokens()
            written += 1
        return written

    return write


def transformers(prompt: Sequence[int], tokens: int, threads: int, dtype: str) -> Write:
    """`generate` as it comes: greedy, with its key/value cache."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(threads)
    causal: Any = AutoModelForCausalLM
    model = causal.from_pretrained(folder(), dtype=getattr(torch, dtype)).eval()
    ids = torch.tensor([list(prompt)])

    def write() -> int:
        with torch.inference_mode():
            found = model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=tokens,
                min_new_tokens=tokens,
                do_sample=False,
                pad_token_id=SHAPE["vocab_size"] - 1,
            )
        return int(found.shape[1]) - len(prompt)

    return write


def weights_per_token(graph: bytes) -> int:
    """Bytes of weights that a token needs: all but the embedding table, of which it needs one row."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load_model_from_string(graph)
    rows = {node.input[0] for node in model.graph.node if node.op_type == "Gather"}
    others = {name for node in model.graph.node if node.op_type != "Gather" for name in node.input}
    return sum(
        numpy_helper.to_array(one).nbytes
        for one in model.graph.initializer
        if one.name in others or one.name not in rows
    )


def bandwidth(threads: int) -> float:
    """Bytes a second that so many threads read from memory at most: the best of several sums over 512 MiB."""
    import torch

    torch.set_num_threads(threads)
    numbers = torch.ones(1 << 27)
    best = 0.0
    for _ in range(20):
        started = time.perf_counter()
        numbers.sum()
        best = max(best, 4 * numbers.numel() / (time.perf_counter() - started))
    return best


def one_stream(engine: Any, graph: bytes, rounds: int, tokens: int, threads: int, peers: Sequence[str]) -> None:
    prompt = engine.count_tokens(PROMPT)
    ids = engine._chat.tokens(PROMPT)

    def ours() -> int:
        generation = engine.generate(PROMPT, GenerationOptions(max_tokens=tokens, temperature=0))
        generation.text()
        return int(generation.summary.completion_tokens)

    sides: dict[str, Write] = {"Cloister int4": ours}
    if "genai" in peers:
        sides["onnxruntime-genai int4, bare"] = bare(graph, engine.settings, ids, tokens, threads)
    if "fp32" in peers:
        sides["transformers fp32"] = transformers(ids, tokens, threads, "float32")
    if "bf16" in peers:
        sides["transformers bf16"] = transformers(ids, tokens, threads, "bfloat16")
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, write in sides.items():
            started = time.perf_counter()
            written = write()
            seconds = time.perf_counter() - started
            if written != tokens:
                raise SystemExit(f"{name} wrote {written} tokens instead of {tokens}")
            if number:
                rates[name].append(tokens / seconds)
    print(f"One stream, {prompt} tokens read, {tokens} written, {threads} threads, {rounds} rounds:")
    for name, found in rates.items():
        ratio = statistics.median(a / b for a, b in zip(rates["Cloister int4"], found, strict=True))
        print(f"  {name:<30} {statistics.median(found):7.2f} tokens/s   Cloister is {ratio:.2f} x as fast")
    print("  wanted: 0.95 of the bare loop, 1.5 of fp32, 1.2 of bf16")
    most = bandwidth(threads)
    needed = weights_per_token(graph)
    share = statistics.median(rates["Cloister int4"]) * needed / most
    print(f"  {needed / 1e6:.0f} MB of weights a token, {most / 1e9:.1f} GB/s read: {share:.0%} of the limit of memory")


def streams(engine: Any, rounds: int, tokens: int, count: int) -> None:
    """Many streams at once against one, interleaved."""

    def together(many: int) -> tuple[float, list[float]]:
        rates = [0.0] * many
        started = time.perf_counter()

        def read(number: int) -> None:
            # Prompts differ from the first token on, so that nothing is shared.
            options = GenerationOptions(max_tokens=tokens, temperature=0)
            written = engine.generate(f"{number} {PROMPT}", options)
            written.text()
            rates[number] = written.summary.completion_tokens / (time.perf_counter() - started)

        threads = [threading.Thread(target=read, args=(number,)) for number in range(many)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        return many * tokens / (time.perf_counter() - started), rates

    totals: dict[int, list[float]] = {1: [], count: []}
    fairness = []
    for number in range(rounds + 1):
        for many, found in totals.items():
            total, rates = together(many)
            if number:
                found.append(total)
                if many == count:
                    fairness.append(min(rates) / statistics.mean(rates))
    ratio = statistics.median(b / a for a, b in zip(totals[1], totals[count], strict=True))
    print(f"{count} streams of {tokens} tokens each, {rounds} rounds:")
    print(f"  one alone {statistics.median(totals[1]):.2f} tokens/s, all {statistics.median(totals[count]):.2f}")
    print(f"  total {ratio:.2f} x one stream's (wanted 1.5); slowest {min(fairness):.2f} x the mean (wanted 0.5)")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("rounds", 5), ("tokens", 32), ("threads", 2), ("count", 8)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--parts", default="one,streams", help="one, streams")
    parser.add_argument("--peers", default="genai,fp32,bf16", help="genai, fp32, bf16")
    asked = parser.parse_args()
    made = bundle()
    # Nothing is kept between rounds: each reads its prompt.
    engine: Any = load(made, options=Options(threads=asked.threads, prompt_cache=0))
    graph = Path(made, engine.variant.graph).read_bytes()
    if "one" in asked.parts:
        one_stream(engine, graph, asked.rounds, asked.tokens, asked.threads, asked.peers.split(","))
    if "streams" in asked.parts:
        streams(engine, asked.rounds, asked.tokens, asked.count)


if __name__ == "__main__":
    main()
