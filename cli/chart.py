"""Line charts as SVG, on logarithmic axes, for light and dark pages: what `cloister bench --chart` writes."""

import math
from collections.abc import Mapping, Sequence
from html import escape

_COLOURS = ("#2a7fd4", "#d9662b", "#2f9e57", "#9a63d1", "#b8901f", "#d1437f", "#1d9aa5", "#7d8590")
_DASHES = ("", "6 3", "2 3", "8 3 2 3")
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 640, 330, 64, 24, 56, 46
_LINE = 20

_STYLE = (
    "<style>.chart-back{fill:#fff}.chart-text{fill:#24292f}.chart-mute{fill:#59636e}.chart-grid{stroke:#e4e8ec}"
    "@media(prefers-color-scheme:dark){.chart-back{fill:#161b22}.chart-text{fill:#e6edf3}.chart-mute{fill:#9198a1}"
    ".chart-grid{stroke:#30363d}}</style>"
)

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

    height = _HEIGHT + _LINE * len(series) + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        f'font-family="system-ui,sans-serif" font-size="12" role="img" aria-label="{escape(title, quote=True)}">',
        f'{_STYLE}<rect class="chart-back" width="{_WIDTH}" height="{height}" rx="6"/>',
        f'<text class="chart-text" x="{_LEFT - 40}" y="24" font-size="15" font-weight="600">{escape(title)}</text>',
        f'<text class="chart-mute" x="{_LEFT - 40}" y="44">{escape(y)}</text>',
    ]
    for tick in across:
        at, _ = place((tick, up[0]))
        parts.append(f'<line class="chart-grid" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}"/>')
        parts.append(_label(at, _HEIGHT - _BOTTOM + 16, "middle", f"{tick:,g}"))
    for tick in up:
        _, at = place((across[0], tick))
        parts.append(f'<line class="chart-grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(_label(_LEFT - 7, at + 4, "end", f"{tick:,g}"))
    parts.append(_label((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 10, "middle", x))
    for index, (name, line) in enumerate(series.items()):
        colour = _COLOURS[index % len(_COLOURS)]
        dash = _DASHES[index // len(_COLOURS) % len(_DASHES)]
        stroke = f'stroke="{colour}" stroke-width="2"' + (f' stroke-dasharray="{dash}"' if dash else "")
        placed = [place(point) for point in line]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in placed)
        parts.append(f'<polyline points="{path}" fill="none" stroke-linejoin="round" {stroke}/>')
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3.2" fill="{colour}"/>' for a, b in placed]
        below = _HEIGHT + _LINE * index + 8
        parts.append(f'<line x1="{_LEFT}" x2="{_LEFT + 24}" y1="{below - 4}" y2="{below - 4}" {stroke}/>')
        parts.append(f'<text class="chart-text" x="{_LEFT + 32}" y="{below}">{escape(name)}</text>')
    return "".join([*parts, "</svg>"])


def _label(x: float, y: float, anchor: str, text: str) -> str:
    return f'<text class="chart-mute" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


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
