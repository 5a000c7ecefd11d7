"""The accuracy report that goes into a bundle, as JSON table and chart: figures and names of layers, no text."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from html import escape

import msgspec

from .contract import Kept, Layer

TABLE, CHART = "accuracy.json", "accuracy.svg"

_ROW, _LEFT, _WIDTH, _TOP = 18, 330, 420, 64


def files(kept: Mapping[str, Kept]) -> dict[str, bytes]:
    """The report's files by name; none where nothing was measured."""
    if not kept:
        return {}
    table = {
        name: {
            "accuracy": msgspec.to_builtins(one.accuracy),
            "layers": [asdict(layer) for layer in one.layers],
            "trials": [asdict(trial) for trial in one.trials],
        }
        for name, one in kept.items()
    }
    data = json.dumps({"variants": table}, ensure_ascii=False, indent=2).encode() + b"\n"
    return {TABLE: data, CHART: chart(kept).encode()}


def chart(kept: Mapping[str, Kept]) -> str:
    """A self-contained SVG: each variant's figures, and a bar for each layer's error, hollow where it is in float."""
    parts: list[str] = []
    y = 20
    for name, one in kept.items():
        found = one.accuracy
        low, high = found.drop_interval
        parts.append(
            _text(10, y, f"{name}: {found.metric} {found.score:.4f}, source model {found.source:.4f}", bold=True)
        )
        flips = "" if found.flips is None else f"; {found.flips:.2%} of the answers flip"
        parts.append(_text(10, y + 18, f"drop {found.drop:+.4f}, 95% interval {low:+.4f} to {high:+.4f}{flips}"))
        y += _TOP - 20
        if one.layers:
            parts.append(_text(10, y, "relative error that quantization leaves in each layer; hollow: left in float"))
            y += 12
            parts.extend(_bars(one.layers, y))
            y += _ROW * len(one.layers)
        y += 28
    width = _LEFT + _WIDTH + 90
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y}" width="{width}" height="{y}" '
        'font-family="sans-serif" font-size="12" fill="#222">'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def _bars(layers: list[Layer], y: int) -> list[str]:
    longest = max(max(layer.error for layer in layers), 1e-12)
    parts = []
    for number, layer in enumerate(layers):
        top = y + number * _ROW
        length = layer.error / longest * _WIDTH
        fill = "none" if layer.in_float else "#4477aa"
        parts.append(_text(10, top + 12, layer.name if len(layer.name) <= 48 else f"…{layer.name[-47:]}"))
        parts.append(
            f'<rect x="{_LEFT}" y="{top + 2}" width="{length:.1f}" height="{_ROW - 6}" fill="{fill}" stroke="#4477aa"/>'
        )
        parts.append(_text(_LEFT + int(length) + 6, top + 12, f"{layer.error:.4f}"))
    return parts


def _text(x: int, y: int, content: str, *, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x}" y="{y}"{weight}>{escape(content)}</text>'
