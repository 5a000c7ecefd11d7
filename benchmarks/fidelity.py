"""How far are a bundle's vectors from the float model's, on 500 real sentences, and does a batch change them?"""

from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModel, AutoTokenizer

from benchmarks import workbench as wb
from cloister.runtime import Embedding, Engine
from cloister.runtime.processor import available_threads


def vectors(engine: Engine, texts: list[str]) -> NDArray[np.float32]:
    """Embeddings of texts. Shape: `[n, dimensions]`."""
    return np.array([cast(Embedding, p).vector for p in engine.predict(texts, truncate=True)])


def source_vectors(texts: list[str]) -> NDArray[np.float32]:
    """The float model in PyTorch, one text at a time: mean over tokens, normalized."""
    tokenizer: Any = AutoTokenizer.from_pretrained(wb.model_folder())
    model = AutoModel.from_pretrained(wb.model_folder()).eval()
    rows = []
    with torch.no_grad():
        for text in texts:
            encoded = tokenizer(text, truncation=True, max_length=256, return_tensors="pt")
            pooled = model(**encoded).last_hidden_state[0].mean(0)
            rows.append(torch.nn.functional.normalize(pooled, dim=0).numpy())
    return np.array(rows)


def stock_vectors(engine: Engine, texts: list[str]) -> NDArray[np.float32]:
    """ONNX Runtime's dynamic QInt8, sorted, batches of 32."""
    tokens = engine.tokenize(texts, truncate=True)
    plain = wb.plain(int8=True, threads=available_threads())
    order = np.argsort([len(t) for t in tokens], kind="stable")
    rows = np.concatenate([plain.run(batch) for batch in wb.sorted_batches(tokens)])
    result = np.empty_like(rows)
    result[order] = rows
    return result


def changed_by_batch(engine: Engine, texts: list[str]) -> int:
    """How many of 64 texts change in any bit when they run alone, at every position of a batch, or in another order."""
    alone = np.concatenate([vectors(engine, [t]) for t in texts])
    changed = np.zeros(len(texts), bool)
    orders = [np.roll(np.arange(len(texts)), shift) for shift in range(len(texts))]
    for order in [*orders, np.random.default_rng(1).permutation(len(texts))]:
        got = vectors(engine, [texts[i] for i in order])
        changed[order] |= (got.view(np.uint32) != alone[order].view(np.uint32)).any(axis=1)
    return int(changed.sum())


def main() -> None:
    """Print cosine with fp32, and the batch check."""
    texts = wb.texts()
    wanted = source_vectors(texts)
    int8, fp32 = wb.engine("int8"), wb.engine("fp32")
    print(wb.machine())
    print(f"\nCosine with PyTorch fp32 over {len(texts)} real sentences")
    for name, got in (
        ("Cloister int8", vectors(int8, texts)),
        ("Cloister fp32", vectors(fp32, texts)),
        ("ONNX Runtime QInt8", stock_vectors(int8, texts)),
    ):
        cosines = (got * wanted).sum(1)
        error = float(np.abs(got - wanted).max())
        print(f"  {name:<22} mean {cosines.mean():.5f}  least {cosines.min():.5f}  largest difference {error:.2g}")
    print("  wanted: int8 mean >= 0.998 and least >= 0.99; fp32 largest difference <= 1e-4")
    for name, engine in (("int8", int8), ("fp32", fp32)):
        count = changed_by_batch(engine, wb.traffic())
        print(f"  {name}: {count} of 64 texts change in any bit with the batch (65 batches; wanted for int8: 0)")


if __name__ == "__main__":
    main()
