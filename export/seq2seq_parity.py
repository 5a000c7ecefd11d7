"""Exported encoder-decoders against their source: logits of given targets, and what the search writes."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch

from .. import DriftError
from ..runtime.heads import softmax
from ..runtime.languages import Opening
from ..runtime.measured import Parity
from ..runtime.packing import Tokens
from ..runtime.search import Floats
from ..runtime.seq2seq import EncoderDecoder, rules_of
from ..runtime.translation import EncoderDecoderSettings
from .loading import quiet
from .parity import LIMITS
from .seq2seq_source import Loaded

STEPS = 8
"""Tokens of a target whose logits are compared."""
_SEARCHED = 24


def forced_logits(model: Any, tokens: Tokens, settings: EncoderDecoderSettings) -> Floats:
    """The source's logits when a text's own first tokens are its target. Shape: `[n, vocabulary]`."""
    ids = torch.from_numpy(tokens.ids)[None]
    target = torch.tensor([[settings.start_id, *tokens.ids[: STEPS - 1].tolist()]])
    target = target[:, : len(tokens.ids[:STEPS])]
    with torch.no_grad():
        return cast(Floats, model(input_ids=ids, decoder_input_ids=target).logits[0].numpy())


def compare(wanted: Sequence[Floats], got: Sequence[Floats]) -> Parity:
    """Figures of logits against the source's. Shape: for each text `[n, vocabulary]`, in both."""
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


def gate(figures: Parity, wanted: Sequence[Floats], name: str) -> None:
    """Hold figures against the precision's limits.

    Raises:
        DriftError: a figure is outside.
    """
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


def same_search(
    loaded: Loaded,
    model: EncoderDecoder,
    probes: Sequence[Tokens],
    opening: Opening,
    settings: EncoderDecoderSettings,
) -> None:
    """In float the search must write what transformers' `generate` writes, greedily and with beams, token for token.

    Args:
        opening: of the probes' targets.

    Raises:
        DriftError: it does not.
    """
    for width in (1, 4):
        rules = replace(rules_of(settings, opening, _SEARCHED), num_beams=width)
        ours = model.search(probes, rules)
        for tokens, target in zip(probes, ours, strict=True):
            with quiet(), torch.no_grad():
                theirs = loaded.model.generate(
                    input_ids=torch.from_numpy(tokens.ids)[None],
                    attention_mask=torch.ones(1, len(tokens), dtype=torch.long),
                    num_beams=width,
                    do_sample=False,
                    max_length=_SEARCHED,
                    forced_bos_token_id=opening.first_id,
                    decoder_start_token_id=opening.start_id,
                )[0].tolist()
            if theirs != target:
                raise DriftError(
                    f"with {width} beams the search writes something else than the source model's generate",
                    hint="report this with the model's config and generation config",
                    code="parity_failed",
                )
