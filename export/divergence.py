"""What a generator's variant writes beside its source model in float32, and how much of a difference is let through."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from .. import DriftError
from ..runtime.decoding import Decoder
from ..runtime.manifest import Precision
from ..runtime.measured import GenerationLimits, GenerationParity, Parity
from ..runtime.sampling import log_softmax
from .decoder import DecoderSource, prompt
from .texts import PROBES

_PROMPTS, _GREEDY, _TOKENS = 2, 64, 24
# docs/generation.md says what these were measured on, and benchmarks/README.md how.
LIMITS: dict[Precision, GenerationLimits] = {
    "fp32": GenerationLimits(kl_mean=1e-5, top1_agreement=0.99, perplexity_change=0.001),
    "fp16": GenerationLimits(kl_mean=1e-4, top1_agreement=0.98, perplexity_change=0.005),
    "int8": GenerationLimits(kl_mean=0.005, top1_agreement=0.9, perplexity_change=0.02),
    "int4": GenerationLimits(kl_mean=0.3, top1_agreement=0.6, perplexity_change=0.25),
}


def compare(source: DecoderSource, decoder: Decoder, precision: Precision) -> tuple[Parity, GenerationParity]:
    """Run both over the probe texts, token by token. What is held at once is the logits of one text."""
    prompts = [prompt(source, text)[:_TOKENS] for text in PROBES]
    places = [_place(source, decoder, ids) for ids in prompts if len(ids) > 1]
    divergence = np.concatenate([place.divergence for place in places])
    agreement = float(np.concatenate([place.same for place in places]).mean())
    steps, equal = _greedy(source, decoder, prompts[:_PROMPTS])
    parity = Parity(
        samples=len(places),
        cosine_min=min(place.cosine for place in places),
        cosine_mean=float(np.mean([place.cosine for place in places])),
        max_abs_error=max(place.error for place in places),
        label_agreement=agreement,
    )
    figures = GenerationParity(
        kl_mean=float(divergence.mean()),
        kl_max=float(divergence.max()),
        top1_agreement=agreement,
        perplexity=_perplexity([place.lost for place in places]),
        source_perplexity=_perplexity([place.source_lost for place in places]),
        greedy_steps=steps,
        greedy_equal=equal,
        limits=LIMITS[precision],
    )
    return parity, figures


@dataclass(frozen=True)
class _Places:
    """What was found at the places of one text. Shape: arrays `[n]`, losses `[n - 1]`, in nats."""

    divergence: NDArray[np.float64]
    same: NDArray[np.bool_]
    lost: NDArray[np.float64]
    source_lost: NDArray[np.float64]
    cosine: float
    error: float


def _place(source: DecoderSource, decoder: Decoder, ids: list[int]) -> _Places:
    with torch.no_grad():
        wanted = source.model(torch.tensor([ids])).logits[0].float().numpy()
    sequence = decoder.sequence(len(ids) + 1)
    got = np.stack([sequence.append([token]) for token in ids])
    one, other = (np.stack([log_softmax(row) for row in rows]) for rows in (wanted, got))
    at = np.arange(len(ids) - 1), np.asarray(ids[1:])
    a, b = wanted.astype(np.float64).ravel(), got.astype(np.float64).ravel()
    return _Places(
        divergence=(np.exp(one) * (one - other)).sum(1),
        same=wanted.argmax(1) == got.argmax(1),
        lost=-other[at],
        source_lost=-one[at],
        cosine=float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b) + 1e-30)),
        error=float(np.abs(wanted - got).max()),
    )


def gate(figures: GenerationParity, precision: Precision) -> None:
    """Raises DriftError where a variant differs from its source by more than its precision's limits."""
    limits = LIMITS[precision]
    if not figures.kl_mean <= limits.kl_mean:
        raise _drift(f"divergence {figures.kl_mean:.3g} nats, allowed are {limits.kl_mean:g}")
    if not figures.top1_agreement >= limits.top1_agreement:
        raise _drift(
            f"the most probable token is the same in {figures.top1_agreement:.1%} of the places, "
            f"at least {limits.top1_agreement:.0%} are wanted"
        )
    change = figures.perplexity / figures.source_perplexity - 1
    if not change <= limits.perplexity_change:
        raise _drift(f"perplexity grows by {change:.2%}, allowed are {limits.perplexity_change:.1%}")
    if precision == "fp32" and figures.greedy_equal != figures.greedy_steps:
        raise _drift(f"{figures.greedy_equal} of {figures.greedy_steps} greedy tokens are the source's")


def _drift(what: str) -> DriftError:
    return DriftError(
        f"the exported generator differs from the source model: {what}",
        hint="try --precision int8 or fp32, and report the architecture",
    )


def _perplexity(lost: Sequence[NDArray[np.float64]]) -> float:
    return float(np.exp(min(float(np.concatenate(lost).mean()), 700.0)))


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
