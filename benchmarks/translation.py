"""A Marian-shaped model with random weights against CTranslate2 int8, on a batch of mixed lengths.

Random weights write until the longest target, so that both do the same work: every text gets as many tokens. Both sides
run interleaved in one process with the same threads; the figure is the ratio of tokens a second.

    pip install ctranslate2
    python -m benchmarks.translation [--texts 32] [--tokens 32] [--vocabulary 32000] [--beams 1] [--rounds 5]
                                     [--work FOLDER] [--prepare]

With `--work` the model and what both sides made of it stay in a folder, so that another run only measures; `--prepare`
makes them and measures nothing.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np


def model(folder: Path, vocabulary: int) -> Path:
    """A model of opus-mt's shape: 6 + 6 layers, 512 wide, with a SentencePiece pair of built-in texts."""
    import torch
    from transformers import GenerationConfig, MarianConfig, MarianMTModel, MarianTokenizer

    from tests.support.encoder_decoders import marian

    marian(folder)
    words = json.loads((folder / "vocab.json").read_text("utf-8"))
    names = [name for name in words if name != "<pad>"]
    names += [f"▁filler{i}" for i in range(vocabulary - len(names) - 1)] + ["<pad>"]
    (folder / "vocab.json").write_text(json.dumps({name: i for i, name in enumerate(names)}), "utf-8")
    torch.manual_seed(0)
    pad = len(names) - 1
    shape: Any = MarianConfig
    config = shape(
        vocab_size=len(names), d_model=512, encoder_layers=6, decoder_layers=6, encoder_attention_heads=8,
        decoder_attention_heads=8, encoder_ffn_dim=2048, decoder_ffn_dim=2048, max_position_embeddings=512,
        pad_token_id=pad, eos_token_id=0, decoder_start_token_id=pad, scale_embedding=True, activation_function="swish",
        static_position_embeddings=True, add_bias_logits=True, share_encoder_decoder_embeddings=True,
    )  # fmt: skip
    made = MarianMTModel(config)
    generation: Any = GenerationConfig
    made.generation_config = generation(
        bad_words_ids=[[pad]], decoder_start_token_id=pad, eos_token_id=0, pad_token_id=pad
    )
    made.save_pretrained(folder)
    for name in ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"):
        (folder / name).unlink(missing_ok=True)
    files = [str(folder / name) for name in ("source.spm", "target.spm", "vocab.json")]
    tokenizer: Any = MarianTokenizer
    tokenizer(*files, model_max_length=512).save_pretrained(folder)
    return folder


def main() -> None:
    """Print the ratio, and what each side did."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("texts", 32), ("tokens", 32), ("vocabulary", 32000), ("beams", 1), ("rounds", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--prepare", action="store_true")
    asked = parser.parse_args()
    if asked.work is not None:
        asked.work.mkdir(parents=True, exist_ok=True)
        compare(asked, asked.work)
        return
    with tempfile.TemporaryDirectory() as name:
        compare(asked, Path(name))


def compare(asked: argparse.Namespace, work: Path) -> None:
    """Make what is missing in a folder, run both sides, print."""

    import ctranslate2
    from ctranslate2.converters import TransformersConverter

    from cloister.export import export
    from cloister.runtime.engine import Options
    from cloister.runtime.loading import load
    from cloister.runtime.search import Rules

    folder, bundle, theirs_folder = work / "model", work / "bundle", work / "ct2"
    if not (folder / "model.safetensors").exists():
        model(folder, asked.vocabulary)
    if not bundle.exists():
        export(folder, bundle, task="translation", precision="int8")
    if not theirs_folder.exists():
        TransformersConverter(str(folder)).convert(str(theirs_folder), quantization="int8")
    if asked.prepare:
        return
    engine: Any = load(bundle, options=Options(threads=asked.threads))
    peer = ctranslate2.Translator(
        str(theirs_folder), device="cpu", inter_threads=1, intra_threads=asked.threads, compute_type="int8"
    )
    words = list(json.loads((folder / "vocab.json").read_text("utf-8")))
    random = np.random.default_rng(0)
    lengths = np.clip(random.lognormal(3.0, 0.6, asked.texts).astype(int), 4, 100)
    from cloister.runtime.packing import Tokens

    sources = [np.append(random.integers(2, 200, n), 0).astype(np.int64) for n in lengths]
    tokens = [Tokens(ids) for ids in sources]
    pieces = [[words[i] for i in ids] for ids in sources]
    rules = Rules(
        start_id=len(words) - 1, end_ids=(0,), max_length=asked.tokens + 1, min_length=asked.tokens + 1,
        suppressed=(len(words) - 1,), num_beams=asked.beams,
    )  # fmt: skip

    def ours() -> int:
        return sum(len(t) - 1 for t in engine.model.search(tokens, rules))

    def theirs() -> int:
        found = peer.translate_batch(
            pieces, beam_size=asked.beams, max_decoding_length=asked.tokens, min_decoding_length=asked.tokens,
            max_batch_size=0,
        )  # fmt: skip
        return sum(len(f.hypotheses[0]) for f in found)

    times: dict[str, list[float]] = {"cloister": [], "ctranslate2": []}
    for _ in range(asked.rounds + 1):
        for side, run in (("cloister", ours), ("ctranslate2", theirs)):
            start = time.perf_counter()
            count = run()
            times[side].append(time.perf_counter() - start)
            assert count == asked.texts * asked.tokens, f"{side} wrote {count} tokens"
    rates = {side: asked.texts * asked.tokens / min(seconds[1:]) for side, seconds in times.items()}
    ratio = rates["cloister"] / rates["ctranslate2"]
    print(f"{rates['cloister']:.0f} tokens/s, CTranslate2 {rates['ctranslate2']:.0f}: ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
