"""What does `Engine.predict` add to tokenization and the session's own run, for one text of 16 tokens?"""

import numpy as np

from benchmarks import workbench as wb


def main() -> None:
    """Print the median difference in milliseconds."""
    engine = wb.engine()
    text = next(t for t in wb.texts("clinc150") if len(engine.tokenize([t])[0]) == 16)
    arrays = engine.encoder.arrays(engine.tokenize([text]))
    session = engine.encoder.session
    tokenizer = engine.tokenizer.raw
    times = wb.interleaved(
        {
            "tokenization and session": lambda: (tokenizer.encode_batch_fast([text]), session.run(arrays)),
            "Engine.predict": lambda: engine.predict([text]),
        },
        rounds=1500,
        warm_up=50,
    )
    print(wb.machine())
    wb.report("One text of 16 tokens", times, against="tokenization and session")
    added = float(np.median(np.array(times["Engine.predict"]) - np.array(times["tokenization and session"])))
    print(f"  added by Engine.predict: {added:.3f} ms (median of pairs; wanted: at most 0.3)")


if __name__ == "__main__":
    main()
