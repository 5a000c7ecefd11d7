"""`cloister bench`: latency, throughput and memory of a bundle on this machine, beside another one where asked."""

import json
import sys
import xml.etree.ElementTree as ET
from html import escape
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import InvalidInput, StorageError
from .options import (
    AsJson,
    BundleFolder,
    BundleId,
    Identity,
    MinVersion,
    Provider,
    ProviderName,
    PublicKey,
    VariantName,
    unseal,
)

_STYLE = (
    ":root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;max-width:82rem;margin:2rem auto;"
    "padding:0 1rem;background:#f6f8fa;color:#24292f}h1{font-size:1.4rem}p{margin:.2rem 0;color:#59636e}"
    "div{display:flex;flex-wrap:wrap;gap:1rem;margin-top:1rem}svg{max-width:100%;height:auto}"
    "@media(prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}p{color:#9198a1}}"
)


def bench(
    bundle: BundleFolder,
    compare: Annotated[Path | None, typer.Option(help="Another bundle, measured in turns with the first.")] = None,
    seconds: Annotated[float, typer.Option(help="Time for each shape.", min=0.001)] = 1.0,
    lengths: Annotated[str | None, typer.Option(help="Tokens of single texts, such as 16,128.")] = None,
    batches: Annotated[str | None, typer.Option(help="Texts in one call, such as 1,8,64.")] = None,
    threads: Annotated[int | None, typer.Option(help="Threads; by default what this process may use.", min=1)] = None,
    chart: Annotated[Path | None, typer.Option(help="Write a chart, .svg or .html.", metavar="FILE")] = None,
    provider: ProviderName = Provider.auto,
    variant: VariantName = None,
    identity: Identity = None,
    public_key: PublicKey = None,
    min_version: MinVersion = 0,
    bundle_id: BundleId = None,
    as_json: AsJson = False,
) -> None:
    """Measure latency by length, throughput by batch, and memory: text in, answer out.

    With keys for sealed bundles both bundles must be sealed. Run nothing else meanwhile.
    Example: cloister bench sentiment --compare sentiment-fp32
    """
    from ..runtime import measure
    from ..runtime.engine import Options
    from ..runtime.loading import load
    from .progress import steps

    if chart is not None and chart.suffix not in (".svg", ".html"):
        raise InvalidInput("a chart is written as .svg or .html", hint="name the file chart.svg or chart.html")
    shapes: dict[str, Any] = {"lengths": _numbers(lengths), "batches": _numbers(batches)}
    options = Options(provider=provider.value, variant=variant, threads=threads)
    keys = unseal(identity, public_key, min_version, bundle_id)
    paths = [bundle] if compare is None else [bundle, compare]
    engines, loads = [], []
    for path in paths:
        engine, took, grew = measure.grown(lambda path=path: load(path, options=options, unseal=keys))  # type: ignore[misc]
        engines.append(engine)
        loads.append((took, grew))
    with steps()("measuring") as note:
        result = measure.measure(
            engines,
            seconds=seconds,
            note=note if callable(note) else None,
            **{name: given for name, given in shapes.items() if given is not None},
        )
    document = measure.report(result, engines, paths, loads)
    if chart is not None:
        _write_chart(chart, document)
    if as_json:
        sys.stdout.write(json.dumps(document) + "\n")
        return
    _show(document)


def _numbers(given: str | None) -> list[int] | None:
    if given is None:
        return None
    parts = [part.strip() for part in given.split(",")]
    if not all(part.isascii() and part.isdigit() and 0 < int(part) < 10**6 for part in parts):
        raise InvalidInput("a list of numbers cannot be read", hint="write it like 16,64,128")
    return [int(part) for part in parts]


def _show(document: dict[str, Any]) -> None:
    """Tables for people; bars beside the first bundle's on a terminal and in a pipe alike."""
    for entry, about in zip(document["bundles"], _about(document), strict=True):
        sys.stdout.write(f"{about}\n")
        for title, rows in (("one text", entry["latency"]), ("calls of several texts", entry["throughput"])):
            sys.stdout.write(f"\n{title:<24}{'minimum':>12}{'median':>12}{'p95':>12}\n")
            longest = max(row["median_ms"] for row in rows)
            for row in rows:
                name = f"{row['texts']} x {row['tokens']} tokens"
                bar = "█" * max(1, round(24 * row["median_ms"] / longest))
                figures = "".join(f"{row[key]:>9.2f} ms" for key in ("min_ms", "median_ms", "p95_ms"))
                rate = f"{row['texts_per_second']:>9.0f} texts/s" if "texts_per_second" in row else ""
                sys.stdout.write(f"{name:<24}{figures}{rate}  {bar}\n")
        sys.stdout.write("\n")
    for row in document.get("comparison", ()):
        low, high = row["interval"]
        sys.stdout.write(
            f"{row['texts']} x {row['tokens']} tokens: the second takes {row['ratio']:.2f} [{low:.2f}, {high:.2f}] "
            "times the first's time\n"
        )
    held, most = (document["memory"][key] / 1e6 for key in ("process_bytes", "peak_bytes"))
    sys.stdout.write(f"memory of the process: {held:.0f} MB, at most {most:.0f} MB\n")


def _about(document: dict[str, Any]) -> list[str]:
    """One line for each bundle: what it is and what its load took."""
    return [
        f"{entry['bundle']}: {entry['task']}, {entry['variant']} on {entry['provider']}, {entry['threads']} threads"
        f", loaded in {entry['load_seconds']:.2f} s, {entry['memory']['load_bytes'] / 1e6:.1f} MB"
        for entry in document["bundles"]
    ]


def _write_chart(path: Path, document: dict[str, Any]) -> None:
    from .chart import lines

    names = [f"{i}. {entry['bundle']} ({entry['variant']})" for i, entry in enumerate(document["bundles"], 1)]

    def series(part: str, x: str, y: str) -> dict[str, list[tuple[float, float]]]:
        pairs = zip(names, document["bundles"], strict=True)
        return {name: [(row[x], row[y]) for row in entry[part]] for name, entry in pairs}

    first = lines("Latency of one text", "tokens", "median, ms", series("latency", "tokens", "median_ms"))
    second = lines(
        "Throughput", "texts in a call", "texts per second", series("throughput", "texts", "texts_per_second")
    )
    if path.suffix == ".html":
        data = json.dumps(document).replace("<", "\\u003c")
        about = "".join(f"<p>{escape(line)}</p>" for line in _about(document))
        page = (
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>cloister bench</title>'
            f"<style>{_STYLE}</style><h1>cloister bench</h1>{about}<div>{first}{second}</div>"
            f'<script type="application/json">{data}</script></html>\n'
        )
    else:
        height = int(float(ET.fromstring(first).get("height", "0")))  # noqa: S314 - made above
        moved = second.replace("<svg ", f'<svg y="{height + 12}" ', 1)
        page = f'<svg xmlns="http://www.w3.org/2000/svg" width="640" height="{2 * height + 12}">{first}{moved}</svg>\n'
    try:
        path.write_text(page, "utf-8")
    except OSError as error:
        raise StorageError("the chart cannot be written", hint="name a file in a folder that exists") from error
