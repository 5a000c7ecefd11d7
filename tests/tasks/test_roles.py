"""Semantic role labelling as tagging of (sentence, predicate) pairs: from the guide's toy set to a bundle's answers."""

import json
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForTokenClassification

from cloister.export import export
from cloister.runtime import Tagging, load
from tests.support.models import tokenizer

DATA = Path(__file__).resolve().parents[2] / "docs" / "data" / "roles.jsonl"
EXAMPLES = [json.loads(line) for line in DATA.read_text("utf-8").splitlines()]
LABELS = ["O", *(f"{p}-{r}" for r in ("ARG0", "ARG1", "ARGM-LOC", "ARGM-TMP") for p in "BI")]


def train(folder: Path) -> None:
    """A small BERT that learns the set by heart; words after the first token of a word are not trained, as usual."""
    words: Any = tokenizer("wordpiece")
    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}
    config = AutoConfig.for_model(
        "bert",
        vocab_size=len(words),
        max_position_embeddings=80,
        id2label=dict(enumerate(LABELS)),
        label2id={label: i for i, label in enumerate(LABELS)},
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        initializer_range=0.1,  # 0.02 is for widths of hundreds
        **sizes,
    )
    torch.manual_seed(0)
    auto: Any = AutoModelForTokenClassification
    model = auto.from_config(config)
    encoded = words(
        [e["text"] for e in EXAMPLES], [e["text_pair"] for e in EXAMPLES], padding=True, return_tensors="pt"
    )
    targets = torch.full_like(encoded["input_ids"], -100)
    for row, example in enumerate(EXAMPLES):
        encoding, last = encoded.encodings[row], None
        for i, (sequence, word) in enumerate(zip(encoding.sequence_ids, encoding.word_ids, strict=True)):
            if sequence != 0 or word == last:
                continue
            last, start = word, encoding.offsets[i][0]
            inside = [e for e in example["entities"] if e["start"] <= start < e["end"]]
            name = f"{'B' if inside[0]['start'] == start else 'I'}-{inside[0]['label']}" if inside else "O"
            targets[row, i] = LABELS.index(name)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for _ in range(400):
        rows = torch.randperm(len(EXAMPLES))[:32]
        loss = model(**{k: v[rows] for k, v in encoded.items()}, labels=targets[rows]).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if float(loss.detach()) < 0.01:
            break
    model.save_pretrained(folder)
    words.save_pretrained(folder)


def test_roles_from_data_to_answers(tmp_path: Path) -> None:
    train(tmp_path / "model")
    report = export(tmp_path / "model", tmp_path / "bundle")
    assert report.task == "token-classification"
    engine = load(tmp_path / "bundle")
    right = 0
    for example, found in zip(EXAMPLES, engine.predict([(e["text"], e["text_pair"]) for e in EXAMPLES]), strict=True):
        assert isinstance(found, Tagging)
        got = [(e.start, e.end, e.label) for e in found.entities]
        right += got == [(e["start"], e["end"], e["label"]) for e in example["entities"]]
    assert right >= 0.95 * len(EXAMPLES)
    one, other = EXAMPLES[0], EXAMPLES[1]
    assert one["text"] == other["text"]
    first, second = engine.predict([(one["text"], one["text_pair"]), (one["text"], other["text_pair"])])
    assert first != second
