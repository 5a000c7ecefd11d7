"""Which padding bound cuts mixed traffic best? The default of `runtime/packing.py` comes from this table."""

from benchmarks import workbench as wb
from cloister.runtime.packing import groups


def main() -> None:
    """Print one line per bound."""
    engine = wb.engine()
    tokens = engine.tokenize(wb.traffic(), truncate=True)
    lengths = [len(t) for t in tokens]
    sides = {}
    for bound in (1.1, 1.2, 1.35, 1.5, 2.0, 4.0, 1e9):
        packs = [engine.encoder.arrays([tokens[i] for i in group]) for group in groups(lengths, bound)]
        name = f"bound {bound:g}, {len(packs)} groups"
        sides[name] = lambda packs=packs: [engine.encoder.session.run(p) for p in packs]
    print(wb.machine())
    wb.report("Mixed traffic by padding bound", wb.interleaved(sides, rounds=10), against=next(iter(sides)))


if __name__ == "__main__":
    main()
