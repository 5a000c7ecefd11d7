"""Which padding bounds cut traffic best? The defaults of `runtime/packing.py` come from these tables."""

import numpy as np

from benchmarks import workbench as wb
from cloister.runtime.packing import FREE_CELLS, PADDING_BOUND, groups


def main() -> None:
    """Print a line per bound for the mixed traffic, and per number of free cells for it and for a few of its texts."""
    print(wb.machine())
    compared("mixed, by padding bound", wb.traffic(), [(b, 0) for b in (1.1, 1.2, 1.35, 1.5, 2.0, 4.0, 1e9)])
    texts, order = wb.texts(), np.random.default_rng(0).permutation(len(wb.texts()))
    for name, chosen in (
        ("mixed", wb.traffic()),
        *((f"{n} texts", [texts[i] for i in order[:n]]) for n in (2, 4, 8, 16)),
        ("10 short texts", [texts[i * 37 % len(texts)] for i in range(10)]),
    ):
        free = [(PADDING_BOUND, cells) for cells in (0, FREE_CELLS // 4, FREE_CELLS, 4 * FREE_CELLS)]
        compared(f"{name}, by free attention cells", chosen, free)


def compared(name: str, texts: list[str], bounds: list[tuple[float, int]]) -> None:
    """The groups that each pair of bounds cuts, in turns."""
    engine = wb.engine()
    tokens = engine.tokenize(texts, truncate=True)
    lengths = [len(t) for t in tokens]
    sides = {}
    for bound, free in bounds:
        cut = groups(lengths, bound, free=free)
        packs = [engine.encoder.arrays([tokens[i] for i in group]) for group in cut]
        side = f"bound {bound:g}, {free} free cells, {len(packs)} groups"
        sides[side] = lambda packs=packs: [engine.encoder.session.run(p) for p in packs]
    rounds = max(10, min(100, 20_000 // sum(lengths)))
    wb.report(f"{name}: {len(texts)} texts", wb.interleaved(sides, rounds=rounds), against=next(iter(sides)))


if __name__ == "__main__":
    main()
