"""Texts of the lab, cut once to the window, so that no peer truncates; the model folder that all peers read."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from benchmarks import workbench as wb

MIXED_WINDOW = 256


@dataclass(frozen=True)
class Workload:
    """Texts of one call; `repeat` calls in a round."""

    name: str
    texts: tuple[str, ...]
    repeat: int = 1


def minilm(folder: Path) -> Path:
    """The real MiniLM, with its window opened to the 512 positions that it has."""
    out = folder / "minilm"
    if not out.exists():
        shutil.copytree(wb.model_folder(), out)
        settings = out / "sentence_bert_config.json"
        settings.write_text(json.dumps({**json.loads(settings.read_text()), "max_seq_length": 512}))
    return out


def workloads(model: Path, *, full: bool) -> list[Workload]:
    """Mixed, uniform and single; with `full` also 500 texts, long documents and growth from 100 to 100,000 tokens."""
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    cut = [shortened(tokenizer, t, MIXED_WINDOW) for t in wb.traffic()]
    source = " ".join(wb.texts("xquad"))
    found = [Workload("mixed", tuple(cut))]
    found += [
        Workload(f"uniform 8x{n}", tuple(exactly(tokenizer, source[997 * i :], n) for i in range(8)), repeat)
        for n, repeat in ((16, 20), (64, 5), (128, 2), (512, 1))
    ]
    found.append(Workload("single 1x16", (exactly(tokenizer, source, 16),), 50))
    if full:
        everything = [shortened(tokenizer, t, MIXED_WINDOW) for t in wb.texts()]
        found.append(Workload("mixed 500", tuple(everything)))
        found.append(Workload("long documents", tuple(exactly(tokenizer, source[3001 * i :], 512) for i in range(24))))
        found += [growing(tokenizer, everything, n) for n in (100, 1000, 10_000, 100_000)]
    return found


def growing(tokenizer: Tokenizer, texts: list[str], tokens: int) -> Workload:
    """About so many tokens of mixed texts, in their shuffled order, from the start again when they end."""
    chosen: list[str] = []
    total = index = 0
    while total < tokens:
        chosen.append(texts[index * 37 % len(texts)])
        total += len(tokenizer.encode(chosen[-1]))
        index += 1
    return Workload(f"growth {tokens}", tuple(chosen))


def shortened(tokenizer: Tokenizer, text: str, window: int) -> str:
    """The text, or its beginning, of at most so many tokens with special ones."""
    words = text.split(" ")
    while len(words) > 1 and len(tokenizer.encode(" ".join(words))) > window:
        words.pop()
    return " ".join(words)


def exactly(tokenizer: Tokenizer, text: str, tokens: int) -> str:
    """Real words of a text, of exactly so many tokens with special ones; the end is filled up with a short word."""
    text = shortened(tokenizer, " ".join(text.split(" ")[1 : tokens + 1]), tokens)
    while len(tokenizer.encode(text)) < tokens:
        text += " the"
    return text
