"""Writes architectures.md from what the tests found. Run: python docs/architectures_table.py"""

from __future__ import annotations

import json
from pathlib import Path

TARGET = Path(__file__).with_name("architectures.md")
OUTCOMES = Path(__file__).parents[1] / "tests" / "data" / "families.json"

_HEAD = """# Architectures

Written by `docs/architectures_table.py` from `tests/data/families.json`: what became of a tiny model with random
weights of every text model family that transformers maps to a task Cloister knows. *Exported* means that the bundle's
outputs, in float and in int8, were those of the PyTorch model within the limits of the parity gate, on texts and pairs
from one token to the full window, and that no text's bits depended on its batch. `make families` tries all of them,
`make test` a few; `make families-table` tries those that were never tried and writes the table and this page anew.

- **packed**: no padding, fused attention. Every layer calls transformers' attention interface, takes its positions from
  outside, and the traced graph was run against the model on a pack of texts before it was believed.
- **padded**: transformers' own exporter; only texts of equal length share a batch.
- **refused**: with the reason that the export gives.

Sliding windows become an addition to the scores (one for all layers of a group), causal layers the operator's own mask,
grouped queries repeated keys. A decoder that embeds texts (Qwen3-Embedding and its like) pools its last token. A
bundle's window is at most 8,192 tokens, since attention's memory grows with its square; parity is measured up to 2,048.
"""


def page() -> str:
    """The whole document."""
    outcomes = json.loads(OUTCOMES.read_text("utf-8"))
    lines = [_HEAD]
    for path in ("packed", "padded", "refused", "untried"):
        rows = [(name, found) for name, found in outcomes.items() if found["path"] == path]
        if not rows:
            continue
        lines += [f"## {path.capitalize()}: {len(rows)}", ""]
        if path == "packed":
            lines += [", ".join(f"`{name}`" for name, _ in rows) + ".", ""]
            continue
        if path == "untried":
            lines += ["Nothing is claimed of these; the export tries them and the parity gate judges.", ""]
            lines += [", ".join(f"`{name}`" for name, _ in rows) + ".", ""]
            continue
        lines += ["| family | tried with | why |", "|---|---|---|"]
        lines += [f"| `{name}` | {found['task']} | {found['reason']} |" for name, found in rows]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
