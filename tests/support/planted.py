"""Tiny models with a known weakness, and data that their float form answers (nearly) without a mistake."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from cloister.export.labelled import Labelled, read_labelled
from tests.support.models import save

LABELS = ["other", "wanted"]
_SENTENCES = Path(__file__).resolve().parents[2] / "benchmarks" / "data" / "sentences.jsonl"


def texts(count: int) -> list[str]:
    """Real sentences, cut so that they fit the tiny models' window."""
    lines = _SENTENCES.read_text("utf-8").splitlines()
    return [json.loads(line)["text"][:100] for line in lines[:count]]


def classifier(folder: Path) -> Path:
    """A BERT with random weights whose two classes are about equally frequent on `texts`.

    Its logits stand away from zero, where the angle between two vectors would say nothing.
    """
    return _balanced(save(folder, "bert", "text-classification", labels=LABELS))


def _balanced(folder: Path) -> Path:
    logits = answers(folder, texts(120))
    weights = load_file(folder / "model.safetensors")
    weights["classifier.bias"] += 4 * float(np.abs(logits).max())
    weights["classifier.bias"][1] -= float(np.median(logits[:, 1] - logits[:, 0]))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def with_outliers(folder: Path, size: float = 3e4) -> Path:
    """`classifier` with two huge channels in front of the last feed-forward product, which cancel out in it.

    The float model does not see them. In integers every other channel of the row drowns, and smoothing only moves
    the trouble into the weights.
    """
    classifier(folder)
    weights = load_file(folder / "model.safetensors")
    layer = "bert.encoder.layer.1"
    weights["classifier.bias"].zero_()
    weights[f"{layer}.intermediate.dense.bias"][3] = size
    weights[f"{layer}.intermediate.dense.bias"][90] = 1.37 * size
    down = weights[f"{layer}.output.dense.weight"]  # [out, in]
    down *= 4  # so that the answer hangs on what the other channels say
    down[:, 90] = -down[:, 3] / 1.37
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return _balanced(folder)


def answers(folder: Path, inputs: list[str]) -> Any:
    """Logits of the model in PyTorch. Shape: `[texts, 2]`."""
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        encoded = [tokenizer(t, return_tensors="pt", truncation=True, max_length=80) for t in inputs]
        return np.array([model(**e).logits[0].numpy() for e in encoded])


def data(folder: Path, path: Path, count: int = 120, *, clear: bool = False) -> Labelled:
    """Examples labelled as the float model answers them, except every tenth, so that it is not perfect.

    With `clear`, only texts that it is surer of than of half of all: small errors do not change those answers.
    """
    inputs = texts(2 * count if clear else count)
    logits = answers(folder, inputs)
    if clear:
        surest = np.sort(np.argsort(-np.abs(logits[:, 1] - logits[:, 0]))[:count])
        inputs, logits = [inputs[i] for i in surest], logits[surest]
    labels = logits.argmax(1)
    labels[::10] = 1 - labels[::10]
    lines = [json.dumps({"text": t, "label": LABELS[i]}) for t, i in zip(inputs, labels.tolist(), strict=True)]
    path.write_text("\n".join(lines), "utf-8")
    return read_labelled(path)
