"""`make lab-report`: results.json becomes one HTML page, benchmarks/REPORT.md and the table of the README."""

import json
from html import escape
from typing import Any

from cloister.cli.chart import lines

from . import figures
from .peers import OURS, ROOT

BEGIN, END = "<!-- lab:begin -->", "<!-- lab:end -->"
WRONG = 0.98
"""A least cosine with fp32 under this is marked: the answer is fast and wrong."""

WANTED = (
    ("mixed", "optimum-onnx int8 (AVX512-VNNI)", "excluded", 3.0),
    ("mixed", "OpenVINO int8 (NNCF)", "excluded", 1.8),
    ("mixed", "sentence-transformers fp32", "included", 6.0),
    ("uniform 8x128", "OpenVINO int8 (NNCF)", "excluded", 1 / 1.3),
)
"""Workload, peer, tokenization, and how many times our time the peer's should at least be."""


def main() -> None:
    """Write all three."""
    folder = ROOT / ".lab" / "report"
    results = json.loads((folder / "results.json").read_text())
    (folder / "index.html").write_text(page(results), "utf-8")
    (ROOT / "benchmarks" / "REPORT.md").write_text(markdown(results), "utf-8")
    readme = ROOT / "README.md"
    readme.write_text(filled(readme.read_text("utf-8"), table(results, "mixed")), "utf-8")


def rows(results: dict[str, Any], load: str, part: str) -> list[list[str]]:
    """Cells of a workload's peers, fastest first: name, minimum, median, p95, ratio with interval, cosines."""
    peers = results["workloads"][load]["peers"]
    timed = sorted(((n, e) for n, e in peers.items() if part in e), key=lambda item: float(item[1][part]["median"]))
    ours = peers.get(OURS, {}).get(part)
    found = []
    for name, entry in timed:
        times, cosine = entry[part], entry.get("cosine")
        said = ""
        if ours is not None and name != OURS and len(ours["ms"]) == len(times["ms"]):
            r = figures.ratio(ours["ms"], times["ms"])
            said = f"{r['median']:.2f} [{r['low']:.2f}, {r['high']:.2f}]" + (
                " (faster than Cloister)" if r["high"] < 1 else ""
            )
        close = "not compared" if cosine is None else f"{cosine['least']:.4f} / {cosine['mean']:.4f}"
        if cosine is not None and cosine["least"] < WRONG:
            close += " **wrong**"
        found.append([f"{name} ({entry['mode']})", *(f"{times[k]:.2f}" for k in ("min", "median", "p95")), said, close])
    return found


HEAD = ["peer (batching)", "min ms", "median ms", "p95 ms", "× Cloister int8's time", "cosine with fp32, least / mean"]


def table(results: dict[str, Any], load: str, part: str = "excluded") -> str:
    """Markdown table of a workload."""
    body = [HEAD, ["---"] * len(HEAD), *rows(results, load, part)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in body) + "\n"


def judged(results: dict[str, Any]) -> list[str]:
    """Each wanted figure: reached, missed, or not measured."""
    said = []
    for load, peer, part, least in WANTED:
        peers = results["workloads"].get(load, {}).get("peers", {})
        ours, theirs = peers.get(OURS, {}).get(part), peers.get(peer, {}).get(part)
        name = f"{load}, {peer}, tokenization {part}: at least {least:.2f}"
        if ours is None or theirs is None:
            said.append(f"{name}: not measured")
            continue
        got = theirs["median"] / ours["median"]
        said.append(f"{name}: {got:.2f}, {'reached' if got >= least else '**missed**'}")
    points = growth(results).get(OURS, [])
    if len(points) > 1:
        slope = figures.exponent(*zip(*points, strict=True))
        said.append(f"growth exponent 1.0 ± 0.05: {slope:.3f}, {'reached' if abs(slope - 1) <= 0.05 else '**missed**'}")
    return said


def growth(results: dict[str, Any]) -> dict[str, list[tuple[float, float]]]:
    """Median milliseconds by tokens, for each peer that ran the growing workloads."""
    found: dict[str, list[tuple[float, float]]] = {}
    for load, data in results["workloads"].items():
        if load.startswith("growth "):
            for name, entry in data["peers"].items():
                if "included" in entry:
                    found.setdefault(name, []).append((float(load.split()[1]), entry["included"]["median"]))
    return found


def markdown(results: dict[str, Any]) -> str:
    """The summary: every workload, every peer, what failed and why, what was wanted."""
    parts = [
        "# The lab's report\n", "Written by `make lab-report`; do not edit.\n",
        f"{results['machine']}; {results['threads']} threads; {results['date']}; "
        f"commit {results['commit'][:12]}. all-MiniLM-L6-v2.\n",
        "## Wanted\n", "".join(f"- {line}\n" for line in judged(results)),
    ]  # fmt: skip
    for load in results["workloads"]:
        for part in ("excluded", "included"):
            parts += [f"## {load}, tokenization {part}\n", table(results, load, part)]
    parts += ["## Cold start and memory\n", "| peer | seconds to the first vector | MB after it |\n| --- | --- | --- |"]
    parts[-1] += "".join(
        f"\n| {n} | {f['cold_start_seconds']:.2f} | {f['memory']['resident'] / 1e6:.0f} |"
        for n, f in results["peers"].items()
    )
    parts += ["\n## What did not run\n", "".join(f"- {name}: {why}\n" for name, why in results["failed"].items())]
    return "\n".join(parts)


def page(results: dict[str, Any]) -> str:
    """One HTML page that needs nothing beside it, with the raw results inside."""
    where = f"{results['machine']}, {results['threads']} threads, commit {results['commit']}"
    body = [f"<h1>Cloister's lab</h1><p>{escape(where)}</p>"]
    body.append("<ul>" + "".join(f"<li>{escape(line)}</li>" for line in judged(results)) + "</ul>")
    if points := {name: line for name, line in growth(results).items() if len(line) > 1}:
        body.append(lines("Growth with tokens", "tokens", "median, ms", points))
    for load in results["workloads"]:
        for part in ("excluded", "included"):
            body.append(f"<h2>{escape(load)}, tokenization {part}</h2><table><tr>")
            body.append("".join(f"<th>{escape(h)}</th>" for h in HEAD) + "</tr>")
            cells = rows(results, load, part)
            body += ["<tr>" + "".join(f"<td>{escape(c)}</td>" for c in row) + "</tr>" for row in cells]
            body.append("</table>" + bars(cells))
    body.append("<h2>What did not run</h2><ul>")
    body += [f"<li>{escape(name)}: {escape(why)}</li>" for name, why in results["failed"].items()]
    raw = json.dumps(results).replace("<", "\\u003c")
    style = "body{font-family:sans-serif;max-width:70em;margin:auto}td,th{padding:.2em .8em;text-align:left}"
    return (
        f"<!doctype html><meta charset=utf-8><title>Cloister's lab</title><style>{style}</style>{''.join(body)}</ul>"
        f'<script type="application/json" id="results">{raw}</script>\n'
    )


def bars(cells: list[list[str]]) -> str:
    """Median times as bars."""
    if not cells:
        return ""
    longest = max(float(row[2]) for row in cells)
    height = 22 * len(cells)
    parts = [f'<svg width="800" height="{height}" font-family="sans-serif" font-size="12">']
    for i, row in enumerate(cells):
        colour = "#1f5fa8" if row[0].startswith("Cloister") else "#999"
        width = max(1.0, 400 * float(row[2]) / longest)
        parts.append(f'<text x="290" y="{22 * i + 15}" text-anchor="end">{escape(row[0])}</text>')
        parts.append(f'<rect x="300" y="{22 * i + 3}" width="{width:.1f}" height="16" fill="{colour}"/>')
        parts.append(f'<text x="{305 + width:.0f}" y="{22 * i + 15}">{row[2]} ms</text>')
    return "".join([*parts, "</svg>"])


def filled(readme: str, between: str) -> str:
    """README with the table between its markers. Raises ValueError without them."""
    head, begin, rest = readme.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError("README has no markers for the lab's table")
    return f"{head}{BEGIN}\n{between}{END}{tail}"


if __name__ == "__main__":
    main()
