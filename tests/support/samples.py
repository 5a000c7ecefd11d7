"""Texts that a regular expression matches, drawn from its parse tree."""

from __future__ import annotations

import importlib
import random
import re
from typing import Any

parser: Any = importlib.import_module("re._parser")


def tree(expression: str, flags: int = 0) -> Any:
    """Parse tree of an expression; flags inside it are left out."""
    return parser.parse(re.sub(r"\(\?[aiLmsux]+\)", "", expression), flags)


def sample(r: random.Random, nodes: Any, groups: dict[int, str]) -> str:
    """A text that the nodes match, lookaround aside; repetitions near their most."""
    out = []
    for kind, value in nodes:
        if kind is parser.LITERAL:
            out.append(chr(value))
        elif kind is parser.NOT_LITERAL:
            out.append("7" if value != ord("7") else "a")
        elif kind is parser.ANY:
            out.append(" ")
        elif kind is parser.IN:
            out.append(drawn(r, value))
        elif kind is parser.SUBPATTERN:
            piece = sample(r, value[3], groups)
            groups[value[0] or 0] = piece
            out.append(piece)
        elif kind is parser.BRANCH:
            out.append(sample(r, r.choice(value[1]), groups))
        elif kind is parser.GROUPREF:
            out.append(groups.get(value, "-"))
        elif kind in (parser.MAX_REPEAT, parser.MIN_REPEAT):
            low, high, body = value
            high = min(int(high), 24)
            times = r.choice([min(low, 24), high, high, r.randint(min(low, 24), high)])
            out.extend(sample(r, body, groups) for _ in range(times))
    return "".join(out)


def drawn(r: random.Random, items: list[Any]) -> str:
    if items[0][0] is parser.NEGATE:
        return r.choice(" a1-.:")
    kind, value = r.choice(items)
    if kind is parser.LITERAL:
        return chr(value)
    if kind is parser.RANGE:
        return chr(r.randint(*value))
    return {"CATEGORY_SPACE": " ", "CATEGORY_DIGIT": str(r.randrange(10)), "CATEGORY_NOT_DIGIT": "-"}.get(
        str(value), "a"
    )
