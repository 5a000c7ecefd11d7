"""What the monitor counts as too much: the `[monitor]` table of a policy, with defaults.

The detectors that count are one-sided cumulative sums (Page, "Continuous inspection schemes", Biometrika 1954):
S = max(0, S + x - share) after every text or request, and an alert where S reaches the limit. `share` is what is
tolerated for ever, `limit` how much more than that may add up.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from .alert import KINDS


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Limits of the detectors. docs/monitoring.md says how to choose them, and what false-alarm rate the defaults have.

    Attributes:
        off: kinds of alerts that are not raised.
        clients: most clients that are watched one by one.
        forget: seconds of silence after which a client may give its place to another.
        silence: seconds during which the same kind is not raised again for the same client.
        calibration: requests that are taken as normal first: they give rates, personal data per text and, where the
            bundle has none, the reference for labels, scores and lengths. Per model for the latter three.
        rate: inputs per second that one client may send for ever; 0 takes four times the mean rate of the busiest
            client during calibration, at least one.
        burst: inputs above `rate` that may add up. With a learned rate at least four times the largest request.
        duplicate_share, duplicate_limit: near-duplicates among the texts of a client.
        margin: distance of the two best scores under which a near-duplicate counts for `boundary_walk`.
        walk_share, walk_limit: such near-duplicates among the texts of a client.
        entity_factor, entity_share, entity_limit: redacted values per text: tolerated are `entity_factor` times the
            client's usual number plus `entity_share`.
        refused_share, refused_limit: refused requests of a client.
        length_share, length_limit: texts of a client whose length lies more than an octave outside of the reference.
        injection_share, injection_limit: weights (0 to 2 a text) of signs of prompt injection.
        encoded_share, encoded_limit: weights (0 to 2 a text) of encoded or invisible passages.
        window: predictions of a model that are compared with the reference at once.
        psi: population stability index of labels above which they have drifted; never less than what samples of these
            sizes show by chance.
        ks: Kolmogorov-Smirnov distance of scores above which they have drifted; never less than the critical value.
    """

    off: frozenset[str] = frozenset()
    clients: int = 4096
    forget: float = 600.0
    silence: float = 600.0
    calibration: int = 2000
    rate: float = 0.0
    burst: int = 100
    duplicate_share: float = 0.25
    duplicate_limit: float = 12.0
    margin: float = 0.2
    walk_share: float = 0.1
    walk_limit: float = 8.0
    entity_factor: float = 2.0
    entity_share: float = 0.25
    entity_limit: float = 12.0
    refused_share: float = 0.3
    refused_limit: float = 20.0
    length_share: float = 0.05
    length_limit: float = 5.0
    injection_share: float = 0.1
    injection_limit: float = 2.5
    encoded_share: float = 0.1
    encoded_limit: float = 2.5
    window: int = 200
    psi: float = 0.25
    ks: float = 0.2


_LIMIT = (0.5, 1e6)
_SHARE = (0.0, 16.0)

BOUNDS: Mapping[str, tuple[float, float]] = {
    "clients": (1, 1_000_000),
    "forget": (1.0, 1e7),
    "silence": (0.0, 1e7),
    "calibration": (50, 1_000_000),
    "rate": (0.0, 1e9),
    "burst": (1, 10**9),
    "margin": (0.0, 1.0),
    "entity_factor": (1.0, 100.0),
    "window": (50, 100_000),
    "psi": (0.01, 100.0),
    "ks": (0.01, 1.0),
    **{
        f"{name}_share": _SHARE for name in ("duplicate", "walk", "entity", "refused", "length", "injection", "encoded")
    },
    **{
        f"{name}_limit": _LIMIT for name in ("duplicate", "walk", "entity", "refused", "length", "injection", "encoded")
    },
}
"""Least and largest value of each threshold; those whose default is a whole number take whole numbers only."""


def parse(table: Mapping[str, Any], wrong: Callable[[str, str], Exception]) -> Thresholds:
    """Thresholds from a table of a policy; what it does not name keeps its default.

    Args:
        table: values by name; `off` is a list of kinds, or `["all"]`.
        wrong: makes the error from what is wrong and what to do about it.

    Raises:
        Exception: what `wrong` made: an unknown name, a wrong type, a value out of its bounds.
    """
    values: dict[str, Any] = {}
    names = [field.name for field in fields(Thresholds)]
    for name, value in table.items():
        if name == "off":
            values[name] = _kinds(value, wrong)
        elif name not in names:
            raise wrong(f"unknown key {name!r} in [monitor]", f"Known here: {', '.join(names)}.")
        else:
            values[name] = _number(name, value, wrong)
    return Thresholds(**values)


def _number(name: str, value: Any, wrong: Callable[[str, str], Exception]) -> float:
    low, high = BOUNDS[name]
    whole = isinstance(getattr(Thresholds(), name), int)
    fits = isinstance(value, int if whole else int | float) and not isinstance(value, bool) and low <= value <= high
    if not fits:
        kind = "whole number" if whole else "number"
        raise wrong(f"monitor.{name} = {value!r}", f"Use a {kind} from {low:g} to {high:g}.")
    return int(value) if whole else float(value)


def _kinds(value: Any, wrong: Callable[[str, str], Exception]) -> frozenset[str]:
    if value == ["all"]:
        return frozenset(KINDS)
    if not isinstance(value, list) or not all(isinstance(kind, str) and kind in KINDS for kind in value):
        raise wrong("monitor.off names something that is no kind of alert", f"Kinds: {', '.join(KINDS)}; or all.")
    return frozenset(value)
