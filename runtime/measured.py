"""What an export measured of a variant, as the manifest keeps it; and what all parts of the manifest are made of."""

from typing import Annotated

import msgspec

Probability = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[int, msgspec.Meta(ge=1)]
Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Fields nobody knows are refused: a typo or a newer format must not pass silently."""


class Parity(Strict, frozen=True):
    """A variant against the source model on probe texts, both on the exporting machine.

    Attributes:
        samples: probe texts compared.
        cosine_min, cosine_mean: cosine of a text's output (its embedding, or all its logits as one vector).
        max_abs_error: largest absolute difference of any output value.
        label_agreement: share of equal labels, None for tasks without labels.
        mean_probability_shift: mean absolute change of the largest probability, None for tasks without labels.
    """

    samples: Positive
    cosine_min: float
    cosine_mean: float
    max_abs_error: float
    label_agreement: float | None = None
    mean_probability_shift: float | None = None


class Accuracy(Strict, frozen=True):
    """A variant against the source model on labelled data of the user, as measured by the export.

    Attributes:
        metric: name of the metric; scores are between 0 and 1 (a rank correlation: -1 and 1), more is better.
        examples: how many examples were measured.
        source, score: the source model's and the variant's.
        drop: `source - score`.
        drop_interval: 95% interval of the drop, by paired bootstrap over the examples.
        flips: share of examples whose answer differs from the source model's; None where answers are not labels.
        flips_interval: 95% interval of the flips.
        max_drop, max_flips: the budget that was kept, None where none was set.
        float_layers: linear layers left in float to keep the budget.
        resolved: whether the data could show a loss as small as the budget.
    """

    metric: str
    examples: Positive
    source: float
    score: float
    drop: float
    drop_interval: tuple[float, float]
    flips: float | None
    flips_interval: tuple[float, float] | None
    max_drop: float | None
    max_flips: float | None
    float_layers: list[str]
    resolved: bool


class GenerationLimits(Strict, frozen=True):
    """How much a generator's variant may differ from its source before it is not exported.

    Attributes:
        kl_mean: most nats of mean divergence.
        top1_agreement: least share of places with the same most probable token.
        perplexity_change: most growth of the perplexity, as a share of the source's.
    """

    kl_mean: float
    top1_agreement: Probability
    perplexity_change: float


class GenerationParity(Strict, frozen=True):
    """What a generator's variant writes against the source model in float32, token by token over probe texts.

    Attributes:
        kl_mean, kl_max: Kullback-Leibler divergence of the next token's distribution from the source's, in nats.
        top1_agreement: share of positions where the most probable token is the same.
        perplexity, source_perplexity: of the variant and the source on the probe texts.
        greedy_steps: how many greedy steps after short prompts were compared, and
        greedy_equal: how many of them, from the beginning of each, were the source's.
        limits: within which it was let through; None in bundles made before the field.
    """

    kl_mean: float
    kl_max: float
    top1_agreement: Probability
    perplexity: float
    source_perplexity: float
    greedy_steps: Count
    greedy_equal: Count
    limits: GenerationLimits | None = None
