"""Reports for people: names on the left, values on the right."""

import sys
from collections.abc import Mapping
from typing import Any


def show(rows: Mapping[str, str]) -> None:
    """Print a report on stdout, one line a row, never wrapped: it may be piped."""
    width = max(map(len, rows))
    for name, value in rows.items():
        sys.stdout.write(f"{name:<{width}}  {value}\n")


def accuracy(figures: Mapping[str, Any]) -> str:
    """A variant's accuracy on the user's data in one line, from the fields of the manifest."""
    low, high = figures["drop_interval"]
    parts = [
        f"{figures['metric']} {figures['score']:.4f} on {figures['examples']} examples, source model "
        f"{figures['source']:.4f}",
        f"drop {figures['drop']:+.4f} [{low:+.4f}, {high:+.4f}]" + _allowed(figures["max_drop"]),
    ]
    if figures["flips"] is not None:
        low, high = figures["flips_interval"]
        parts.append(f"{figures['flips']:.2%} flip [{low:.2%}, {high:.2%}]" + _allowed(figures["max_flips"]))
    if figures["float_layers"]:
        parts.append(f"left in float: {', '.join(figures['float_layers'])}")
    if not figures["resolved"]:
        parts.append("too few examples to resolve a loss as small as the budget")
    return "; ".join(parts)


def generation(figures: Mapping[str, Any]) -> str:
    """A generator's variant against its source model in one line, from the fields of the manifest."""
    limits = figures["limits"] or dict.fromkeys(("kl_mean", "top1_agreement", "perplexity_change"))
    least, before = limits["top1_agreement"], figures["source_perplexity"]
    change = limits["perplexity_change"]
    return "; ".join(
        [
            f"divergence {figures['kl_mean']:.3g} nats" + _allowed(limits["kl_mean"]),
            f"same most probable token in {figures['top1_agreement']:.1%}"
            + ("" if least is None else f", at least {least:.0%}"),
            f"perplexity {figures['perplexity'] / before - 1:+.2%}"
            + ("" if change is None else f", allowed {change:+.0%}"),
            f"{figures['greedy_equal']} of {figures['greedy_steps']} greedy steps the source's",
        ]
    )


def _allowed(budget: float | None) -> str:
    return "" if budget is None else f", allowed {budget:g}"
