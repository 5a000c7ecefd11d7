"""How much faster is mixed traffic than with plain ONNX Runtime? 64 real texts, tokenization excluded and included."""

from benchmarks import workbench as wb
from cloister.runtime.packing import pad
from cloister.runtime.processor import available_threads


def main() -> None:
    """Print the table."""
    engine = wb.engine()
    texts = wb.traffic()
    tokens = engine.tokenize(texts, truncate=True)
    int8, fp32 = (wb.plain(int8=i, threads=available_threads()) for i in (True, False))
    batches, whole = wb.sorted_batches(tokens), dict(pad(tokens, 0))
    count = sum(map(len, tokens))
    padded = whole["input_ids"].size
    print(wb.machine())
    times = wb.interleaved(
        {
            "Cloister int8": lambda: engine.forward(tokens),
            "ONNX Runtime QInt8, sorted, batches of 32": lambda: [int8.run(b) for b in batches],
            "ONNX Runtime fp32, padded to the longest": lambda: fp32.run(whole),
        },
        rounds=12,
    )
    wb.report(f"Mixed traffic: 64 texts, {count} tokens ({padded} padded)", times, against="Cloister int8")
    print("  wanted: at least 3 and at least 12")

    def plain_from_texts() -> None:
        for batch in wb.sorted_batches(engine.tokenize(texts, truncate=True)):
            int8.run(batch)

    times = wb.interleaved(
        {
            "Cloister int8": lambda: engine.predict(texts, truncate=True),
            "ONNX Runtime QInt8, sorted, batches of 32": plain_from_texts,
        },
        rounds=12,
    )
    wb.report("The same with tokenization", times, against="Cloister int8")


if __name__ == "__main__":
    main()
