"""What does row-wise int8 cost where all lengths are equal and stock int8 has no padding to lose?"""

import numpy as np

from benchmarks import workbench as wb
from cloister.runtime.packing import Tokens, pad
from cloister.runtime.processor import available_threads


def main() -> None:
    """Print one table per shape."""
    engine = wb.engine()
    int8 = wb.plain(int8=True, threads=available_threads())
    random = np.random.default_rng(0)
    print(wb.machine())
    for count, length, rounds in ((8, 128, 40), (1, 128, 200), (1, 16, 600)):
        tokens = [Tokens(random.integers(1000, 20000, length), np.zeros(length, np.int64)) for _ in range(count)]
        batch = dict(pad(tokens, 0))
        batch["token_type_ids"] = np.zeros_like(batch["input_ids"])
        times = wb.interleaved(
            {
                "ONNX Runtime QInt8": lambda batch=batch: int8.run(batch),  # type: ignore[misc]
                "Cloister int8": lambda tokens=tokens: engine.forward(tokens),  # type: ignore[misc]
            },
            rounds=rounds,
        )
        wb.report(f"{count} x {length} tokens", times, against="ONNX Runtime QInt8")
    print("  wanted: at most 1.15 for 8 x 128 and 1 x 16")


if __name__ == "__main__":
    main()
