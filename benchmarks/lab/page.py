"""The report as one HTML page that needs nothing beside it: tables with bars, charts, and the raw results inside."""

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from cloister.cli.chart import lines

from . import judge, markdown, redaction
from .judge import Results
from .peers import OURS
from .style import STYLE
from .workloads import GROWTHS

_CHARTED = 8
"""Lines of a chart: Cloister's, then the fastest others."""
_EXPLAINED = (
    "Each peer is a process of its own with the same weights, texts and threads, and stands still while another is "
    "measured. Rounds go through all peers in turn; a ratio is the median of the rounds' ratios, with a 95% bootstrap "
    "interval. Each peer has the faster of its own way of batching and of batches of 32 sorted by length. The dark bar "
    "is the median without tokenization, the light one with it; peers that only take texts have the light one alone. "
    f"A least cosine with PyTorch fp32 under {judge.WRONG} is marked as wrong."
)


def page(documents: Sequence[Results], redacted: Results | None = None) -> str:
    """The whole page."""
    first = documents[0]
    where = f"{first['machine']} · {first['threads']} threads · {first['date']} · commit {judge.commits(first)}"
    body = [
        f"<header><h1>Cloister's lab</h1><p>{escape(where)}</p></header><main>",
        _judged(documents),
        f"<section><p>{escape(_EXPLAINED)}</p></section>",
    ]
    for index, document in enumerate(documents):
        body += _model(document, index)
    if redacted is not None:
        body.append(_redaction(redacted))
    body.append("</main>")
    raw = json.dumps([*documents, *([] if redacted is None else [redacted])]).replace("<", "\\u003c")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Cloister\'s lab</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{STYLE}</style></head><body>{''.join(body)}"
        f'<script type="application/json" id="results">{raw}</script></body></html>\n'
    )


def _judged(documents: Sequence[Results]) -> str:
    found = judge.judged(documents)
    counts = {state: sum(f.state == state for f in found) for state in ("reached", "missed", "not measured")}
    said = ", ".join(f"{n} {state}" for state, n in counts.items() if n)
    rows = "".join(
        f'<tr><td>{escape(f.name)}</td><td>{escape(f.wanted)}</td><td class="n">{escape(f.got)}</td>'
        f'<td>{_badge(f.state, f.state.replace(" ", "-"))}</td><td class="small">{escape(f.cause)}</td></tr>'
        for f in found
    )
    head = "<tr><th>Figure</th><th>Wanted</th><th class=n>Measured</th><th></th><th>Cause of a miss</th></tr>"
    return f"<section><h2>What was wanted: {said}</h2><table>{head}{rows}</table></section>"


def _model(document: Results, index: int) -> list[str]:
    title = document.get("title", "all-MiniLM-L6-v2, its real weights")
    loads = [load for load in document["workloads"] if load.split()[0] not in GROWTHS]
    links = " ".join(f'<a href="#m{index}-{i}">{escape(load)}</a>' for i, load in enumerate(loads))
    parts = [f"<section><h2>{escape(title)}</h2>"]
    if index:
        parts.append(f'<p class="small">{escape(document["date"])}, commit {escape(judge.commits(document))}</p>')
    parts += [f"<nav>{links}</nav>", _losses(document), "</section>"]
    parts += [_workload(document, load, f"m{index}-{i}") for i, load in enumerate(loads)]
    parts += [_growth(document), _roofline(document), _memory(document)]
    failed = "".join(f"<li><b>{escape(name)}</b>: {escape(why)}</li>" for name, why in document["failed"].items())
    parts.append(f"<section><h3>What did not run</h3><ul>{failed}</ul></section>")
    packages = "".join(
        f"<details><summary>{escape(name)}: {len(found)} packages</summary>"
        f"<p class=small>{escape(', '.join(found))}</p></details>"
        for name, found in document["versions"].items()
    )
    parts.append(f"<section><h3>Versions in each environment</h3>{packages}</section>")
    return parts


def _losses(document: Results) -> str:
    lost = judge.losses(document)
    if not lost:
        return "<p>No peer is faster than Cloister int8 by the whole interval of its ratio.</p>"
    rows = "".join(
        f"<tr><td>{escape(x.load)}</td><td>{x.part}</td><td>{escape(x.peer)}</td>"
        f'<td class="n">{x.ratio["median"]:.2f} {judge.interval(x.ratio)}</td>'
        f'<td class="n">{"" if x.least_cosine is None else f"{x.least_cosine:.4f}"}</td>'
        f"<td>{_wrong(x.least_cosine)}</td></tr>"
        for x in lost
    )
    head = (
        "<tr><th>Workload</th><th>Tokenization</th><th>Faster peer</th><th class=n>its time ÷ Cloister's</th>"
        "<th class=n>least cosine</th><th></th></tr>"
    )
    return f"<h3>Where a peer is faster than Cloister int8</h3><table>{head}{rows}</table>"


def _workload(document: Results, load: str, anchor: str) -> str:
    data = document["workloads"][load]
    peers = data["peers"]
    parts = [part for part in ("excluded", "included") if any(part in entry for entry in peers.values())]
    timed = {n: e for n, e in peers.items() if any(part in e for part in parts)}
    longest = max((float(e[p]["median"]) for e in timed.values() for p in parts if p in e), default=1.0)
    names = sorted(timed, key=lambda n: min(float(timed[n][p]["median"]) for p in parts if p in timed[n]))
    rows = "".join(_row(peers, name, longest) for name in names)
    details = "".join(
        f"<tr><td>{escape(name)}</td>{_spread(timed[name].get('excluded'))}{_spread(timed[name].get('included'))}</tr>"
        for name in names
    )
    size = f", {data['tokens']:,} tokens, {data['padded']:,} when padded" if "tokens" in data else ""
    head = (
        "<tr><th>Peer</th><th class=bars>Median</th><th class=n>without<br>tokenization</th><th class=n>× Cloister</th>"
        "<th class=n>with<br>tokenization</th><th class=n>× Cloister</th>"
        "<th class=n>cosine with fp32<br>least / mean</th><th class=n>peak<br>MB</th><th></th></tr>"
    )
    spread = (
        "<tr><th rowspan=2>Peer</th><th class=n colspan=3>without tokenization, ms</th>"
        "<th class=n colspan=3>with tokenization, ms</th></tr><tr>"
        + "<th class=n>minimum</th><th class=n>median</th><th class=n>p95</th>" * 2
        + "</tr>"
    )
    return (
        f'<section id="{anchor}"><h3>{escape(load)}<small>{data["texts"]} texts{size}</small></h3>'
        f"<table>{head}{rows}</table><details><summary>minimum, median, p95</summary><table>{spread}{details}</table>"
        "</details></section>"
    )


def _row(peers: dict[str, Any], name: str, longest: float) -> str:
    entry = peers[name]
    bars = "".join(
        f'<i class="{part}" style="width:{max(0.4, 100 * float(entry[part]["median"]) / longest):.1f}%"></i>'
        for part in ("excluded", "included")
        if part in entry
    )
    cells = []
    faster = False
    for part in ("excluded", "included"):
        r = judge.compared(peers, name, part)
        cells.append(f'<td class="n">{_ms(entry[part]["median"]) if part in entry else "–"}</td>')
        if r is None or name == OURS:
            cells.append('<td class="n"></td>')
            continue
        faster = faster or r["high"] < 1
        cells.append(f'<td class="n">{r["median"]:.2f}<span class="small"> {judge.interval(r)}</span></td>')
    cosine = entry.get("cosine")
    said = "not compared" if cosine is None else f"{cosine['least']:.4f} / {cosine['mean']:.4f}"
    peak = entry.get("memory", {}).get("peak")
    marks = _wrong(None if cosine is None else cosine["least"]) + (_badge("faster", "missed") if faster else "")
    kind = ' class="ours"' if name.startswith("Cloister") else ""
    return (
        f"<tr{kind}><td>{escape(name)}<span class=small> {escape(_mode(entry['mode']))}</span></td>"
        f'<td class="bars">{bars}</td>{"".join(cells)}<td class="n">{said}</td>'
        f'<td class="n">{"" if peak is None else f"{peak / 1e6:,.0f}"}</td><td>{marks}</td></tr>'
    )


def _mode(mode: str) -> str:
    return {"default": "", "sorted": "sorted by 32"}.get(mode, mode)


def _spread(times: Mapping[str, float] | None) -> str:
    if times is None:
        return '<td class="n">–</td>' * 3
    return "".join(f'<td class="n">{_ms(times[key])}</td>' for key in ("min", "median", "p95"))


def _ms(value: float) -> str:
    return f"{value:,.0f} ms" if value >= 1000 else f"{value:.1f} ms" if value >= 20 else f"{value:.2f} ms"


def _badge(text: str, kind: str) -> str:
    return f'<b class="badge {kind}">{escape(text)}</b>'


def _wrong(least: float | None) -> str:
    return _badge("wrong", "wrong") if judge.wrong(least) else ""


def _growth(document: Results) -> str:
    parts = []
    for kind, (what, _) in GROWTHS.items():
        found = judge.growth(document, kind)
        if not found:
            continue
        order = sorted(found, key=lambda n: (not n.startswith("Cloister"), found[n][-1][1]))
        chart = lines(f"Growth with {what}", what, "median, ms", {n: found[n] for n in order[:_CHARTED]})
        rows = "".join(f'<tr><td>{escape(n)}</td><td class="n">{markdown.exponent(found[n])}</td></tr>' for n in order)
        head = "<tr><th>Peer</th><th class=n>exponent (from, to)</th></tr>"
        parts.append(f'<div class="pair">{chart}<table>{head}{rows}</table></div>')
    return f"<section><h3>Growth</h3>{''.join(parts)}</section>" if parts else ""


def _roofline(document: Results) -> str:
    found = document.get("roofline")
    if not found:
        return ""
    shapes = "".join(
        f'<tr><td>{escape(n)}</td><td class="n">{s["tokens"]:,}</td><td class="n">{_ms(s["ms"])}</td>'
        f'<td class="n">{s["int8_share"]:.0%}</td><td class="n">{s["limit_share"]:.0%}</td></tr>'
        for n, s in found["shapes"].items()
    )
    head = (
        "<tr><th>Shape</th><th class=n>tokens</th><th class=n>time</th><th class=n>int8 products<br>at their peak</th>"
        "<th class=n>all products<br>at their peak</th></tr>"
    )
    operators = "".join(_operators(name, shape["operators"]) for name, shape in found["shapes"].items())
    return (
        f"<section><h3>Distance to the limit<small>{escape(markdown.peaks(found))}</small></h3>"
        f'<table>{head}{shapes}</table><details><summary>Time by operator</summary><div class="pair">{operators}</div>'
        "</details></section>"
    )


def _operators(shape: str, operators: Sequence[Mapping[str, Any]]) -> str:
    rows = "".join(
        f'<tr><td>{escape(o["operator"])}</td><td class="n">{_ms(o["ms"])}</td><td class="n">{o["share"]:.0%}</td></tr>'
        for o in operators[:14]
    )
    head = f"<tr><th>{escape(shape)}</th><th class=n>time</th><th class=n>share</th></tr>"
    return f"<table>{head}{rows}</table>"


def _memory(document: Results) -> str:
    rows = "".join(
        f'<tr><td>{escape(n)}</td><td class="n">{f["cold_start_seconds"]:.2f} s</td>'
        f'<td class="n">{f["memory"]["resident"] / 1e6:,.0f}</td>'
        f'<td class="n">{f["memory"]["peak"] / 1e6:,.0f}</td></tr>'
        for n, f in sorted(document["peers"].items(), key=lambda item: float(item[1]["cold_start_seconds"]))
    )
    head = (
        "<tr><th>Peer</th><th class=n>start of the process<br>to a first vector</th><th class=n>MB after it</th>"
        "<th class=n>MB at most</th></tr>"
    )
    return f"<section><h3>Cold start and memory</h3><table>{head}{rows}</table></section>"


def _redaction(document: Results) -> str:
    head, *rows = redaction.table(document)
    cells = "".join(f'<th class="{"n" if i else ""}">{escape(h)}</th>' for i, h in enumerate(head))
    body = "".join(
        f"<tr{' class=ours' if row[0] == redaction.CLOISTER else ''}>"
        + "".join(f'<td class="{"n" if i else ""}">{escape(cell)}</td>' for i, cell in enumerate(row))
        + "</tr>"
        for row in rows
    )
    failed = "".join(f"<li><b>{escape(name)}</b>: {escape(why)}</li>" for name, why in document["failed"].items())
    return (
        f"<section><h2>Redaction without a model</h2><p>{escape(redaction.about(document))}</p>"
        f"<table><tr>{cells}</tr>{body}</table><h3>What did not run</h3><ul>{failed}</ul></section>"
    )
