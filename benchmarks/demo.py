"""`make demo`: a real pretrained model to an int8 bundle, a search over real sentences, its speed beside stock int8."""

import textwrap
import time
from typing import cast

import numpy as np

from benchmarks import workbench as wb
from cloister.export import export
from cloister.runtime import Embedding, load
from cloister.runtime.processor import available_threads

QUESTIONS = (
    "my card was swallowed by the machine",
    "what's the weather going to be like",
    "how do vaccines work",
)
LETTER = (
    "Dear Ms Okonkwo, this is Daniel Ferreira from Halvorsen Shipping in Rotterdam. The crate for Priya Raman went to "
    "48 Marlborough Street, Apartment 3, by mistake. Please charge card 4111 1111 1111 1111, and write to "
    "d.ferreira@example.org or call 415-555-0132. 收货人:周晓岚,手机13800138000。"
)
"""Made up; nobody's name, address or number."""


def main() -> None:
    """Export, search, time, redact; print what was done."""
    source, out = wb.model_folder(), wb.WORK / "demo-bundle"
    wb.WORK.mkdir(exist_ok=True)
    print("1. Exporting all-MiniLM-L6-v2 to a row-wise int8 bundle …", flush=True)
    report = export(source, out, force=True)
    figures = report.parity
    print(f"   {report.path} path ({report.path_reason}), {report.quantized_nodes} linear layers in int8")
    print(
        f"   {report.size_bytes / 1e6:.1f} MB instead of {(source / 'model.safetensors').stat().st_size / 1e6:.1f} MB"
    )
    print(f"   cosine with the PyTorch model: mean {figures['cosine_mean']:.4f}, least {figures['cosine_min']:.4f}")
    print(f"   {report.seconds:.1f} s, digest {report.digest[:16]}…\n")

    texts = wb.texts()
    engine = load(out, check=True)
    start = time.perf_counter()
    vectors = np.array([cast(Embedding, p).vector for p in engine.predict(texts, truncate=True)])
    print(f"2. Embedded {len(texts)} real sentences in {time.perf_counter() - start:.2f} s. A search over them:")
    for question, answer in zip(QUESTIONS, engine.predict(list(QUESTIONS)), strict=True):
        scores = vectors @ cast(Embedding, answer).vector
        print(f"   {question!r}")
        for index in np.argsort(-scores)[:3]:
            print(f"      {scores[index]:.2f}  {texts[index][:90]}")

    print(
        "\n3. The same weights in plain ONNX Runtime (dynamic QInt8, sorted, batches of 32) on 64 mixed texts …",
        flush=True,
    )
    tokens = engine.tokenize(wb.traffic(), truncate=True)
    stock = wb.plain(int8=True, threads=available_threads())
    batches = wb.sorted_batches(tokens)
    sides = {
        "Cloister int8": lambda: engine.forward(tokens),
        "ONNX Runtime QInt8": lambda: [stock.run(b) for b in batches],
    }
    times = wb.interleaved(sides, rounds=4)
    ours, theirs = min(times["Cloister int8"]), min(times["ONNX Runtime QInt8"])
    print(f"   Cloister {ours:.0f} ms, ONNX Runtime {theirs:.0f} ms: {theirs / ours:.1f} times faster")

    from cloister.privacy import Redactor

    redactor = Redactor()
    print("\n4. Before anything is sent anywhere, personal data is replaced. From")
    print(_wrapped(LETTER))
    how = f"patterns alone, since {redactor.notice}," if redactor.notice else "patterns and the built-in tagger,"
    print(f"   by {how} to")
    print(_wrapped(redactor.redact(LETTER).text))


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 100, initial_indent=" " * 6, subsequent_indent=" " * 6)


if __name__ == "__main__":
    main()
