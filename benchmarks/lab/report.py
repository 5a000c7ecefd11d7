"""`make lab-report`: all models' results become one HTML page, benchmarks/REPORT.md and the README's summary."""

import json
from pathlib import Path
from typing import Any

from . import markdown, redaction
from .page import page
from .peers import ROOT
from .starting import LAB

BEGIN, END = "<!-- lab:begin -->", "<!-- lab:end -->"


def main() -> None:
    """Write all three."""
    folder = LAB / "report"
    documents = read(folder)
    redacted = redaction.read(folder)
    (folder / "index.html").write_text(page(documents, redacted), "utf-8")
    (ROOT / "benchmarks" / "REPORT.md").write_text(markdown.report(documents, redacted), "utf-8")
    readme = ROOT / "README.md"
    readme.write_text(filled(readme.read_text("utf-8"), markdown.summary(documents)), "utf-8")


def read(folder: Path) -> list[dict[str, Any]]:
    """Results of all models that were run, MiniLM's first."""
    found = [json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("results*.json"))]
    if not found:
        raise SystemExit("nothing was measured yet: make lab-run")
    return sorted(found, key=lambda document: document.get("model", "minilm") != "minilm")


def filled(text: str, summary: str) -> str:
    """A text with the summary between its markers. Raises ValueError where it has none."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the README has no markers for the lab's summary")
    return f"{before}{BEGIN}\n{summary}{END}{after}"


if __name__ == "__main__":
    main()
