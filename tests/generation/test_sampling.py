"""Sampling against transformers' logits processors; tokens as text and bytes."""

from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from cloister.runtime.generation import GenerationOptions
from cloister.runtime.manifest import Sampling, TokenizerSettings
from cloister.runtime.sampling import Sampler, candidates, settle
from cloister.runtime.streaming import TextStream
from cloister.runtime.tokens import TextTokenizer
from tests.support.models import tokenizer as fast_tokenizer


@pytest.mark.parametrize("seed", range(8))
def test_probabilities_are_those_of_transformers(seed: int) -> None:
    random = np.random.default_rng(seed)
    logits = random.normal(0, 3, 200).astype(np.float32)
    prompt = [3, 5, 3, 90]
    how = settle(
        GenerationOptions(temperature=0.7, top_k=40, top_p=0.9, min_p=0.02, repetition_penalty=1.3), Sampling()
    )
    tokens, weights = candidates(Sampler(how, prompt, 0).penalized(logits), how)
    steps = LogitsProcessorList(
        [
            RepetitionPenaltyLogitsProcessor(1.3),
            TemperatureLogitsWarper(0.7),
            TopKLogitsWarper(40),
            TopPLogitsWarper(0.9),
            MinPLogitsWarper(0.02),
        ]
    )
    wanted = torch.softmax(steps(torch.LongTensor([prompt]), torch.FloatTensor(logits[None])), -1)[0].numpy()
    found = np.zeros(200)
    found[tokens] = weights
    assert np.allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize("more", [{}, {"top_p": 0.8}, {"top_p": 0.999}, {"min_p": 0.1}, {"top_p": 0.5, "min_p": 0.3}])
@pytest.mark.parametrize("spread", [0.01, 2.0, 6.0])
def test_large_vocabularies_are_cut_as_by_a_full_sort(more: dict[str, Any], spread: float) -> None:
    logits = np.random.default_rng(1).normal(0, spread, 5000).astype(np.float32).round(2)
    logits[7] = -np.inf
    how = settle(GenerationOptions(temperature=0.9, **more), Sampling())
    tokens, weights = candidates(logits, how)
    wanted = np.exp((logits.astype(np.float64) - logits.max()) / 0.9)
    order = np.argsort(-wanted, kind="stable")
    shares = wanted[order] / wanted.sum()
    shares[np.cumsum(shares) - shares >= more.get("top_p", 1.0)] = 0
    shares[shares < more.get("min_p", 0.0) * shares.max()] = 0
    expected = np.zeros(5000)
    expected[order] = shares / shares.sum()
    found = np.zeros(5000)
    found[tokens] = weights
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_penalties_of_generated_tokens_are_subtracted() -> None:
    how = settle(GenerationOptions(frequency_penalty=0.5, presence_penalty=1.0), Sampling())
    sampler = Sampler(how, [0], None)
    for token in (1, 1, 2):
        sampler.take(token)
    assert sampler.penalized(np.zeros(4, np.float32)).tolist() == [0, -2, -1.5, 0]


def test_text_is_whole_and_stops_across_tokens() -> None:
    parts = [b"ab", b"\xe4\xbd", b"\xa0x", b"EN", b"D!"]
    stream = TextStream(lambda ids: b"".join(parts[i] for i in ids).decode(errors="replace"), ["END"])
    assert [stream.take(i) for i in range(5)] == [("ab", False), ("", False), ("你x", False), ("", False), ("", True)]


@pytest.mark.parametrize("kind", ["bytes", "unigram"])
def test_bytes_of_tokens_are_the_texts_bytes(kind: str) -> None:
    words: Any = fast_tokenizer(kind, 64)
    settings = TokenizerSettings(file="t", window=64, padding_id=0, token_types=False, first_position=0)
    tokens = TextTokenizer(words.backend_tokenizer.to_str().encode(), settings)
    text = "é 你好 🎉 word" if kind == "bytes" else "word"
    ids = tokens.raw.encode(text, add_special_tokens=False).ids
    assert b"".join(map(tokens.token_bytes, ids)).strip() == text.encode()
