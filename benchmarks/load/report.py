"""What a run gave: rates, percentiles, errors, and the latency curve as a picture."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .client import Sent

PERCENTILES = (50.0, 95.0, 99.0, 99.9)


def table(title: str, sent: Sequence[Sent], seconds: float) -> None:
    """Print offered and achieved rate, latency by kind, and answers by status."""
    done = [s for s in sent if s.status == 200]
    statuses = ", ".join(f"{status or 'broken'}: {n}" for status, n in sorted(Counter(s.status for s in sent).items()))
    print(f"{title}: offered {len(sent) / seconds:.0f}/s, achieved {len(done) / seconds:.0f}/s; {statuses}")
    late = percentile([s.late for s in sent], 99) * 1000
    print(f"  sent late by this client itself, p99: {late:.1f} ms")
    for kind in sorted({s.kind for s in sent}):
        values = [s.seconds for s in done if s.kind == kind]
        if values:
            line = "  ".join(f"p{p:g} {percentile(values, p) * 1000:7.1f}" for p in PERCENTILES)
            print(f"  {kind:8} {len(values):6}  {line} ms")


def percentile(values: Sequence[float], share: float) -> float:
    """Linear interpolation, as numpy does."""
    return float(np.percentile(np.array(values), share))


def curve(path: Path, runs: dict[str, Sequence[float]]) -> None:
    """Draw latency (ms, logarithmic) over percentile (by distance from 100, logarithmic) as SVG."""
    width, height, left, bottom = 720, 420, 70, 50
    shares = [1 - 10 ** (-x / 20) for x in range(61)]
    curves = {name: [float(np.quantile(values, q)) * 1000 for q in shares] for name, values in runs.items() if values}
    low = np.floor(np.log10(min(min(c) for c in curves.values())))
    high = np.ceil(np.log10(max(max(c) for c in curves.values())))

    def x(index: int) -> float:
        return left + index / 60 * (width - left - 150)

    def y(value: float) -> float:
        return float(height - bottom - (np.log10(value) - low) / (high - low) * (height - bottom - 20))

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for decade in range(int(low), int(high) + 1):
        at = y(10.0**decade)
        parts.append(f'<line x1="{left}" y1="{at}" x2="{x(60)}" y2="{at}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 8}" y="{at + 4}" text-anchor="end">{10.0**decade:g} ms</text>')
    for index, name in ((0, "0"), (20, "90"), (40, "99"), (60, "99.9")):
        parts.append(f'<line x1="{x(index)}" y1="20" x2="{x(index)}" y2="{height - bottom}" stroke="#eee"/>')
        parts.append(f'<text x="{x(index)}" y="{height - bottom + 20}" text-anchor="middle">{name} %</text>')
    for number, (name, values) in enumerate(curves.items()):
        color = ("#0a7d4f", "#c0392b", "#2c5aa0", "#b8860b")[number % 4]
        points = " ".join(f"{x(i):.1f},{y(v):.1f}" for i, v in enumerate(values))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts.append(f'<text x="{x(60) + 6}" y="{y(values[-1]) + 4}" fill="{color}">{name}</text>')
    parts.append(f'<text x="{(left + x(60)) / 2}" y="{height - 8}" text-anchor="middle">share of requests</text></svg>')
    path.write_text("\n".join(parts))
