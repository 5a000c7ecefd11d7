"""The report as Markdown: benchmarks/REPORT.md, and the summary of the README."""

from collections.abc import Sequence
from typing import Any

from . import figures, judge, redaction
from .judge import Results
from .peers import OURS
from .workloads import GROWTHS

HEAD = ["peer (batching)", "min ms", "median ms", "p95 ms", "× Cloister int8's time", "cosine with fp32, least / mean"]


def table(cells: Sequence[Sequence[str]]) -> str:
    """A table; the first row is its head."""
    head, *body = cells
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *body]) + "\n"


def workload(document: Results, load: str, part: str) -> str:
    """A workload's peers, fastest first: minimum, median, p95, ratio with interval, cosines."""
    peers = document["workloads"][load]["peers"]
    timed = sorted(((n, e) for n, e in peers.items() if part in e), key=lambda item: float(item[1][part]["median"]))
    found = [HEAD]
    for name, entry in timed:
        times = entry[part]
        shown = [f"{name} ({entry['mode']})", *(f"{times[k]:.2f}" for k in ("min", "median", "p95"))]
        found.append([*shown, ratio(peers, name, part), cosine(entry)])
    return table(found)


def summary(documents: Sequence[Results]) -> str:
    """What the README shows: the first model's mixed traffic, where others are faster, which figures are missed."""
    first = documents[0]
    texts = first["workloads"]["mixed"]["texts"]
    missed = [f for f in judge.judged(documents) if f.state == "missed"]
    parts = [
        "",
        f"{first['machine']}; {first['date']}; {texts} texts of mixed length, tokenization excluded:\n",
        workload(first, "mixed", "excluded"),
        "Faster than Cloister int8, by the whole interval, and the share of its time:\n",
        *(losses(first) or ["- nobody"]),
        "",
        "Wanted and missed:\n",
        *([f"- {f.name}: {f.got}, wanted {f.wanted}" for f in missed] or ["- nothing"]),
        "",
    ]
    return "\n".join(parts)


def losses(document: Results) -> list[str]:
    """A line for each peer that is faster somewhere; with tokenization only where there is no time without it.

    Sizes of batches and lengths are left to the whole report: uniform texts stand for them.
    """
    found: dict[str, dict[str, str]] = {}
    for lost in judge.losses(document):
        wrong = " (wrong)" if judge.wrong(lost.least_cosine) else ""
        peers = document["workloads"][lost.load]["peers"]
        timed = lost.part == "excluded" or "excluded" not in peers[lost.peer]
        if timed and lost.load.split()[0] not in ("batch", "length"):
            found.setdefault(lost.peer, {})[lost.load] = f"{lost.ratio['median']:.2f}{wrong}"
    return [
        f"- {peer}: " + ", ".join(f"{load} {share}" for load, share in loads.items()) for peer, loads in found.items()
    ]


def ratio(peers: dict[str, Any], name: str, part: str) -> str:
    """`3.10 [3.02, 3.17]`, marked where the peer is faster; empty for Cloister int8 itself."""
    r = judge.compared(peers, name, part)
    if r is None or name == OURS:
        return ""
    faster = " (faster than Cloister)" if r["high"] < 1 else ""
    return f"{r['median']:.2f} {judge.interval(r)}{faster}"


def cosine(entry: dict[str, Any]) -> str:
    """Least and mean cosine, marked where the least is wrong."""
    found = entry.get("cosine")
    if found is None:
        return "not compared"
    return f"{found['least']:.4f} / {found['mean']:.4f}" + (" **wrong**" if judge.wrong(found["least"]) else "")


def report(documents: Sequence[Results], redacted: Results | None = None) -> str:
    """The summary: what was wanted, every workload of every model, growth, memory, redaction, what failed and why."""
    parts = ["# The lab's report\n", "Written by `make lab-report`; do not edit.\n", "## Wanted\n"]
    rows = [["figure", "wanted", "measured", "", "cause of a miss"]]
    rows += [
        [f.name, f.wanted, f.got, f"**{f.state}**" if f.state == "missed" else f.state, f.cause]
        for f in judge.judged(documents)
    ]
    parts.append(table(rows))
    for document in documents:
        parts += of_model(document)
    if redacted is not None:
        parts += redaction_section(redacted)
    return "\n".join(parts)


def of_model(document: Results) -> list[str]:
    """Sections of one model."""
    parts = [
        f"## {document.get('title', 'all-MiniLM-L6-v2, its real weights')}\n",
        f"{document['machine']}; {document['threads']} threads; {document['date']}; "
        f"commit {judge.commits(document)}.\n",
    ]
    lost = judge.losses(document)
    parts.append("Faster than Cloister int8, by the whole interval:\n" if lost else "No peer is surely faster.\n")
    parts += [
        f"- {x.load}, tokenization {x.part}: {x.peer}, {x.ratio['median']:.2f} of Cloister's time"
        + (f" (wrong: {x.least_cosine:.3f})" if judge.wrong(x.least_cosine) else "")
        for x in lost
    ] + ([""] if lost else [])
    for load, data in document["workloads"].items():
        size = f", {data['tokens']} tokens, {data['padded']} when padded" if "tokens" in data else ""
        parts.append(f"### {load}: {data['texts']} texts{size}\n")
        for part in ("excluded", "included"):
            if any(part in entry for entry in data["peers"].values()):
                parts += [f"Tokenization {part}:\n", workload(document, load, part)]
    parts += growth(document)
    parts += roofline(document)
    parts += ["### Cold start and memory\n", memory(document)]
    parts += ["### What did not run\n", "".join(f"- {name}: {why}\n" for name, why in document["failed"].items())]
    return parts


def redaction_section(document: Results) -> list[str]:
    """Tools that find personal data, beside Cloister's patterns."""
    return [
        "## Redaction without a model\n",
        f"{document['machine']}; {document['date']}; one thread. {redaction.about(document)} Kinds and evasions beside "
        "Presidio: [docs/presidio.md](../docs/presidio.md), [redaction/README.md](redaction/README.md).\n",
        table(redaction.table(document)),
        "### What did not run\n",
        "".join(f"- {name}: {why}\n" for name, why in document["failed"].items()),
    ]


def roofline(document: Results) -> list[str]:
    """Shares of the machine's peaks, and the costliest operators; nothing where they were not measured."""
    found = document.get("roofline")
    if not found:
        return []
    rows = [
        ["shape", "tokens", "ms", "int8 products at their peak", "all products at their peak", "costliest operators"]
    ]
    for name, shape in found["shapes"].items():
        first = ", ".join(f"{o['operator']} {o['share']:.0%}" for o in shape["operators"][:6])
        shares = [f"{shape[key]:.0%}" for key in ("int8_share", "limit_share")]
        rows.append([name, f"{shape['tokens']:,}", f"{shape['ms']:.2f}", *shares, first])
    return ["### Distance to the limit\n", f"Peaks of this machine: {peaks(found)}.\n", table(rows)]


def peaks(roofline: Results) -> str:
    """Operations and bytes a second, for people."""
    units = {"int8": "GOP/s", "bf16": "GFLOP/s", "fp32": "GFLOP/s", "bandwidth": "GB/s read from memory"}
    found = {name: roofline["peaks"][name] for name in units}
    return ", ".join(
        f"{'' if name == 'bandwidth' else name + ' '}{value / 1e9:,.0f} {units[name]}"
        for name, value in found.items()
        if value is not None
    )


def growth(document: Results) -> list[str]:
    """Exponents of each peer, by each thing that grows; nothing where nothing grew."""
    kinds = {kind: judge.growth(document, kind) for kind in GROWTHS}
    kinds = {kind: lines for kind, lines in kinds.items() if lines}
    if not kinds:
        return []
    rows = [["peer", *(GROWTHS[kind][0] for kind in kinds)]]
    names = dict.fromkeys(name for lines in kinds.values() for name in lines)
    rows += [[name, *(exponent(lines.get(name)) for lines in kinds.values())] for name in names]
    return ["### Exponent of growth in\n", table(rows)]


def exponent(points: list[tuple[float, float]] | None) -> str:
    """`1.02 (100 to 100,000)`."""
    if points is None:
        return "not measured"
    return f"{figures.exponent(*zip(*points, strict=True)):.2f} ({points[0][0]:,.0f} to {points[-1][0]:,.0f})"


def memory(document: Results) -> str:
    """Seconds to a first vector; resident memory after it; the most while each workload ran."""
    loads = [load for load in document["workloads"] if load.split()[0] not in GROWTHS]
    rows = [["peer", "seconds to a first vector", "MB after it", *(f"peak MB, {load}" for load in loads)]]
    for name, fact in document["peers"].items():
        row = [name, f"{fact['cold_start_seconds']:.2f}", f"{fact['memory']['resident'] / 1e6:.0f}"]
        for load in loads:
            found = document["workloads"][load]["peers"].get(name, {}).get("memory")
            row.append("" if found is None else f"{found['peak'] / 1e6:.0f}")
        rows.append(row)
    return table(rows)
