"""Texts of the lab, cut once to the window, so that no peer truncates."""

from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from benchmarks import workbench as wb

MIXED_WINDOW = 256
TOTALS = (100, 1000, 10_000, 100_000)
BATCHES = (1, 4, 16, 64, 256)
LENGTHS = (16, 32, 64, 128, 256, 512)


GROWTHS = {
    "growth": ("total tokens of mixed texts", "tokens"),
    "batch": ("texts of 32 tokens in a call", "texts"),
    "length": ("tokens of one text", "tokens"),
}
"""First word of the workloads, what grows, and the field that has its size."""


@dataclass(frozen=True)
class Workload:
    """Texts of one call; `repeat` calls in a round. `lengths` are their tokens in the model's own words."""

    name: str
    texts: tuple[str, ...]
    repeat: int = 1
    lengths: tuple[int, ...] = ()

    @property
    def kind(self) -> str:
        """First word of the name."""
        return self.name.split()[0]

    @property
    def grows(self) -> bool:
        """Whether it is one size of several, for which an exponent is fitted: tokenization is always in its time."""
        return self.kind in GROWTHS

    @property
    def tokens(self) -> int:
        """Real tokens of all texts."""
        return sum(self.lengths)

    @property
    def padded(self) -> int:
        """Tokens of one batch in which every text is as long as the longest."""
        return len(self.lengths) * max(self.lengths, default=0)


class Texts:
    """Makes workloads in the words of one model's tokenizer."""

    def __init__(self, model: Path, window: int = MIXED_WINDOW) -> None:
        self.tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        self.window = window
        self.source = " ".join(wb.texts("xquad"))

    def workload(self, name: str, texts: list[str], repeat: int = 1) -> Workload:
        return Workload(name, tuple(texts), repeat, tuple(self.count(text) for text in texts))

    def count(self, text: str) -> int:
        return len(self.tokenizer.encode(text))

    def mixed(self) -> Workload:
        """The 64 texts of the project's other figures."""
        return self.workload("mixed", [self.shortened(t, self.window) for t in wb.traffic()])

    def uniform(self, count: int, tokens: int, name: str, repeat: int = 1, step: int = 997) -> Workload:
        """So many texts of exactly so many tokens."""
        texts = [self.exactly(self.source[step * i % (len(self.source) // 2) :], tokens) for i in range(count)]
        return self.workload(name, texts, repeat)

    def growing(self, tokens: int) -> Workload:
        """About so many tokens of mixed texts, in a shuffled order, from the start again when they end."""
        texts = [self.shortened(t, self.window) for t in wb.texts()]
        chosen: list[str] = []
        total = index = 0
        while total < tokens:
            chosen.append(texts[index * 37 % len(texts)])
            total += self.count(chosen[-1])
            index += 1
        return self.workload(f"growth {tokens}", chosen, repeat=max(1, 2000 // tokens))

    def shortened(self, text: str, window: int) -> str:
        return shortened(self.tokenizer, text, window)

    def exactly(self, text: str, tokens: int) -> str:
        return exactly(self.tokenizer, text, tokens)


def shortened(tokenizer: Tokenizer, text: str, window: int) -> str:
    """The text, or its beginning, of at most so many tokens with special ones."""
    if len(tokenizer.encode(text)) <= window:
        return text
    words = text.split(" ")
    low, high = 1, len(words)
    while low < high:
        middle = (low + high + 1) // 2
        fits = len(tokenizer.encode(" ".join(words[:middle]))) <= window
        low, high = (middle, high) if fits else (low, middle - 1)
    return " ".join(words[:low])


def exactly(tokenizer: Tokenizer, text: str, tokens: int) -> str:
    """Real words of a text, of exactly so many tokens with special ones; the end is filled up with a short word."""
    text = shortened(tokenizer, " ".join(text.split(" ")[1 : tokens + 1]), tokens)
    while len(tokenizer.encode(text)) < tokens:
        text += " the"
    return text


def workloads(model: Path, *, full: bool, window: int = 512) -> list[Workload]:
    """Mixed, uniform and single; with `full` also 500 texts, long documents, and growth by tokens, batch and length."""
    texts = Texts(model, min(window, MIXED_WINDOW))
    uniform = ((16, 20), (64, 5), (128, 2), (512, 1))
    found = [texts.mixed()]
    found += [texts.uniform(8, n, f"uniform 8x{n}", repeat) for n, repeat in uniform if n <= window]
    found.append(texts.uniform(1, 16, "single 1x16", 50))
    if full:
        everything = [texts.shortened(t, texts.window) for t in wb.texts()]
        found.append(texts.workload("mixed 500", everything))
        found.append(texts.uniform(24, window, "long documents", step=3001))
        found += [texts.growing(n) for n in TOTALS]
        found += [texts.uniform(n, 32, f"batch {n}", max(1, 64 // n)) for n in BATCHES]
        found += [texts.uniform(1, n, f"length {n}", max(1, 512 // n)) for n in LENGTHS if n <= window]
    return found
