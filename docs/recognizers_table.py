"""Writes recognizers.md from the declarations in code. Run: python docs/recognizers_table.py"""

from __future__ import annotations

from pathlib import Path

from cloister.privacy.recognizers import recognizers

TARGET = Path(__file__).with_name("recognizers.md")


def _cell(text: str) -> str:
    shown = text if len(text) <= 60 else f"{text[:57]}…"
    return shown.replace("|", "\\|").replace("\n", "⏎")


def table() -> str:
    """The whole document."""
    lines = [
        "# Recognizers",
        "",
        "Written by `docs/recognizers_table.py` from the code. `score` is without context,",
        "`in context` with a word for it beside the value.",
        "",
        "| entity | recognizer | languages | category | validation | score | in context | example | source |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for r in recognizers():
        context = f"{r.context_score:g}" if r.context else ""
        score = "by context" if r.refine is not None else f"{r.score:g}"
        cells = (r.entity, r.name, ", ".join(r.languages), r.category, _cell(r.validated), score, context)
        lines.append(f"| {' | '.join(cells)} | `{_cell(r.example)}` | {_cell(r.source)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TARGET.write_text(table(), encoding="utf-8")
