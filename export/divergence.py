"""What a generator's variant writes beside its source model in float32, and how much of a difference is let through."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from .. import DriftError
from ..runtime.genai import Decoder
from ..runtime.manifest import GenerationLimits, GenerationParity, Parity, Precision
from ..runtime.sampling import log_softmax
from .decoder import DecoderSource, prompt
from .texts import PROBES

Floats = NDArray[np.float32]

_PROMPTS, _GREEDY, _TOKENS = 2, 64, 24
# docs/generation.md says what these were measured on, and benchmarks/README.md how.
LIMITS: dict[Precision, GenerationLimits] = {
    "fp32": GenerationLimits(kl_mean=1e-4, top1_agreement=0.99, perplexity_change=0.001),
    "fp16": GenerationLimits(kl_mean=0.001, top1_agreement=0.98, perplexity_change=0.01),
    "int8": GenerationLimits(kl_mean=0.05, top1_agreement=0.9, perplexity_change=0.03),
    "int4": GenerationLimits(kl_mean=0.5, top1_agreement=0.6, perplexity_change=0.5),
}


def compare(source: DecoderSource, decoder: Decoder, precision: Precision) -> tuple[Parity, GenerationParity]:
    """Run both over the probe texts, token by token."""
    wanted, got, targets, cosines = [], [], [], []
    prompts = [prompt(source, text)[:_TOKENS] for text in PROBES]
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
        limits=LIMITS[precision],
    )
    return parity, figures


def gate(figures: GenerationParity, precision: Precision) -> None:
    """Raises DriftError where a variant differs from its source by more than its precision's limits."""
    limits = LIMITS[precision]
    # The least share of equal choices is given up to one position in a hundred: one flip of few is not a difference.
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
