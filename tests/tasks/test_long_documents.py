"""Tagging past the model's window: what windows give is what one look at the whole document gives.

The model's layers are made local (attention and positions add nothing), so a token's label does not depend on what
stands around it, and the whole document's labels can be computed by torch without any window.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForTokenClassification, AutoTokenizer

from cloister.export import export
from cloister.runtime import Engine, Tagging, load
from cloister.runtime.tokens import spans

WORDS = "ada lovelace met grace hopper in paris and said nothing about the new machine that prints tables"
DOCUMENT = " ".join(WORDS.split()[(i * i + 3 * i) % 17] for i in range(400))


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory, make_model: Callable[..., Path]) -> tuple[Path, Engine]:
    folder = Path(shutil.copytree(make_model("bert", "token-classification"), tmp_path_factory.mktemp("local") / "m"))
    model = AutoModelForTokenClassification.from_pretrained(folder)
    with torch.no_grad():
        model.bert.embeddings.position_embeddings.weight.zero_()
        for layer in model.bert.encoder.layer:
            layer.attention.output.dense.weight.zero_()
            layer.attention.output.dense.bias.zero_()
        model.classifier.bias[0] = -3.0  # few words outside of entities: then entities are long and cross borders
    model.save_pretrained(folder)
    export(folder, folder.parent / "b", precision="fp32")
    return folder, load(folder.parent / "b")


def expected(folder: Path, text: str) -> list[tuple[int, int, str]]:
    """Entities by the label of every word's first token, from the model applied to single tokens."""
    model: Any = AutoModelForTokenClassification.from_pretrained(folder).eval()
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    words, at = [], 0
    for word in text.split(" "):
        token = tokenizer(word, add_special_tokens=False)["input_ids"][0]
        with torch.no_grad():
            label = model.config.id2label[int(model(torch.tensor([[token]])).logits[0, 0].argmax())]
        words.append((at, at + len(word), label))
        at += len(word) + 1
    found: list[list[Any]] = []
    open_ = False
    for start, end, label in words:
        kind = label[2:]
        if label[0] == "I" and open_ and found[-1][2] == kind:
            found[-1][1] = end
        elif label != "O":
            found.append([start, end, kind])
        open_ = label != "O"
    return [(a, b, c) for a, b, c in found]


def test_entities_of_a_long_document_are_those_of_the_whole(local: tuple[Path, Engine]) -> None:
    folder, engine = local
    (found,) = engine.predict([DOCUMENT])
    assert isinstance(found, Tagging)
    wanted = expected(folder, DOCUMENT)
    assert [(e.start, e.end, e.label) for e in found.entities] == wanted
    windows = engine.tokenizer.windows(DOCUMENT, 0)
    assert len(windows) > 5
    ends = [int(w.offsets[s][-1, 1]) for w, s in zip(windows, spans(windows), strict=True)][:-1]
    assert any(start < end < stop for end in ends for start, stop, _ in wanted), "no entity crosses a border"


def test_a_second_text_stands_beside_every_window(local: tuple[Path, Engine]) -> None:
    folder, engine = local
    windows = engine.tokenizer.windows(DOCUMENT, 0, "said nothing")
    second = engine.tokenizer.raw.encode("said nothing", add_special_tokens=False).ids
    for window in windows:
        assert len(window.tokens) <= 80
        assert window.tokens.ids[-1 - len(second) : -1].tolist() == second
        assert window.tokens.types is not None
        assert window.tokens.types[-1 - len(second) :].tolist() == [1] * (len(second) + 1)
        assert not np.isin(window.content, np.arange(len(window.tokens) - len(second) - 1, len(window.tokens))).any()
    (found,) = engine.predict([(DOCUMENT, "said nothing")])
    assert isinstance(found, Tagging)
    assert [(e.start, e.end, e.label) for e in found.entities] == expected(folder, DOCUMENT)
