"""Line charts as SVG, on logarithmic axes: what `cloister bench --chart` writes."""

import math
from collections.abc import Mapping, Sequence
from html import escape

_COLOURS = ("#1f5fa8", "#c4501b", "#3a7d44", "#7b4fa3", "#8a6d1a", "#555555", "#b02a5b", "#1b8a8f")
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 640, 320, 60, 20, 40, 45

Series = Mapping[str, Sequence[tuple[float, float]]]


def lines(title: str, x: str, y: str, series: Series) -> str:
    """An `<svg>` element with a line for each series of points above zero. Raises ValueError without any point."""
    points = [p for line in series.values() for p in line]
    if not points or min(min(p) for p in points) <= 0:
        raise ValueError("a logarithmic chart needs points, all above zero")
    across, up = _ticks([p[0] for p in points]), _ticks([p[1] for p in points])

    def place(point: tuple[float, float]) -> tuple[float, float]:
        return (
            _LEFT + _share(point[0], across) * (_WIDTH - _LEFT - _RIGHT),
            _HEIGHT - _BOTTOM - _share(point[1], up) * (_HEIGHT - _TOP - _BOTTOM),
        )

    height = _HEIGHT + 18 * len(series)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        f'font-family="sans-serif" font-size="12" role="img" aria-label="{escape(title, quote=True)}">',
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
        f'<text x="{_LEFT}" y="20" font-size="14" font-weight="bold">{escape(title)}</text>',
    ]
    for tick in across:
        at, _ = place((tick, up[0]))
        parts.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}" stroke="#ddd"/>')
        parts.append(f'<text x="{at:.1f}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">{tick:g}</text>')
    for tick in up:
        _, at = place((across[0], tick))
        parts.append(f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{tick:g}</text>')
    parts.append(f'<text x="{_WIDTH / 2:.0f}" y="{_HEIGHT - 8}" text-anchor="middle">{escape(x)}</text>')
    parts.append(f'<text x="{_WIDTH - _RIGHT}" y="20" text-anchor="end">{escape(y)}</text>')
    for index, (name, line) in enumerate(series.items()):
        colour = _COLOURS[index % len(_COLOURS)]
        placed = [place(point) for point in line]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in placed)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{colour}"/>' for a, b in placed]
        below = _HEIGHT + 18 * index + 6
        parts.append(f'<rect x="{_LEFT}" y="{below - 9}" width="12" height="10" fill="{colour}"/>')
        parts.append(f'<text x="{_LEFT + 18}" y="{below}">{escape(name)}</text>')
    return "".join([*parts, "</svg>"])


def _share(value: float, ticks: Sequence[float]) -> float:
    return math.log(value / ticks[0]) / math.log(ticks[-1] / ticks[0])


def _ticks(values: Sequence[float]) -> list[float]:
    """Powers of ten, with twos and fives where they are few, from below the least value to above the largest."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    steps = (1, 2, 5) if high - low <= 3 else (1,)
    ticks = [m * 10.0**e for e in range(low - 1, high + 1) for m in steps]
    first = max(i for i, t in enumerate(ticks) if t <= min(values))
    last = next((i for i, t in enumerate(ticks) if t >= max(values)), len(ticks) - 1)
    return ticks[first : max(last, first + 1) + 1]
