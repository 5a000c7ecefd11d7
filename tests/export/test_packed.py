"""Causal, windowed and grouped attention in packs: what the graphs hold, and that a wrong one is found out."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from cloister import CloisterError
from cloister.export import attention, export, trace
from cloister.export.architectures import ARCHITECTURES, Architecture
from cloister.runtime import load, packing
from cloister.runtime.bundle import read
from tests.support import sweep

TEXTS = ["", "a", "Where is my parcel?", "这家餐厅的菜很好吃。", "The river rose four metres in six hours. " * 4]


def _nodes(bundle: Path) -> list[Any]:
    return [*onnx.load_from_string(read(bundle).files["encoder.onnx"]).graph.node]


def _attentions(bundle: Path) -> list[dict[str, Any]]:
    found = [n for n in _nodes(bundle) if n.op_type == "Attention"]
    return [
        {a.name: onnx.helper.get_attribute_value(a) for a in n.attribute}
        | {"bias": len(n.input) > 3 and bool(n.input[3])}
        for n in found
    ]


@pytest.fixture
def model(tmp_path: Path) -> Any:
    return lambda name, task="text-classification", **config: sweep.save(tmp_path / name, name, task, **config)


def test_causal_layers_and_windows_are_attributes_of_the_fused_operator(tmp_path: Path, model: Any) -> None:
    export(model("mistral"), tmp_path / "b", precision="fp32")
    layers = _attentions(tmp_path / "b")
    assert [(x["is_causal"], x["q_num_heads"], x["bias"]) for x in layers] == [(1, 4, True)] * 2
    export(model("modernbert"), tmp_path / "c", precision="fp32")
    layers = _attentions(tmp_path / "c")
    assert [(x.get("is_causal", 0), x["bias"]) for x in layers] == [(0, False), (0, True)]
    assert sum(n.op_type == "Range" for n in _nodes(tmp_path / "c")) == 1  # one window for all layers that have it


def test_a_decoder_embeds_with_its_last_token(tmp_path: Path, model: Any) -> None:
    """As Qwen3-Embedding: causal, grouped queries, the last token's hidden values, normalized."""
    folder = model("qwen3", "feature-extraction")
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_lasttoken": true}')
    modules = [("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize")]
    (folder / "modules.json").write_text(
        "[" + ",".join(f'{{"type": "sentence_transformers.models.{k}", "path": "{p}"}}' for k, p in modules) + "]"
    )
    report = export(folder, tmp_path / "b", precision="int8")
    assert (report.task, report.path) == ("feature-extraction", "packed")
    engine = load(tmp_path / "b")
    assert (engine.manifest.pooling, engine.manifest.normalized) == ("last", True)
    source, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    for text, found in zip(TEXTS, engine.predict(TEXTS), strict=True):
        encoded: Any = tokenizer(text, return_tensors="pt")
        with torch.no_grad():
            wanted = (
                source(**{k: v for k, v in encoded.items() if k != "token_type_ids"}).last_hidden_state[0, -1].numpy()
            )
        cosine = float(found.vector @ wanted / np.linalg.norm(wanted))  # type: ignore[union-attr]
        assert cosine > 0.98
    sweep.same_bits(tmp_path / "b")


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_classifiers_that_pool_keep_the_bits(tmp_path: Path, model: Any, pooling: str) -> None:
    report = export(model("modernbert", classifier_pooling=pooling), tmp_path / "b", precision="fp32")
    assert report.path == "packed"
    sweep.same_bits(tmp_path / "b")


WRONG = {
    "a causal layer that sees everything": ("qwen3", "_is_causal", lambda module, asked: False),
    "an encoder that is causal": ("eurobert", "_is_causal", lambda module, asked: True),
    "groups in another order": ("qwen3", "_repeated", lambda x, heads: x.repeat(1, heads // x.shape[1], 1, 1)),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_attention_is_found_out(tmp_path: Path, model: Any, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    name, function, replacement = WRONG[case]
    monkeypatch.setitem(ARCHITECTURES, name, Architecture(packed="required"))
    monkeypatch.setattr(attention, function, replacement)
    with pytest.raises(CloisterError) as error:
        export(model(name), tmp_path / "b", precision="fp32")
    assert error.value.code == "fusion_incomplete"
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("shift", [-1, 1])
def test_a_window_that_is_off_by_one_is_found_out(
    tmp_path: Path, model: Any, monkeypatch: pytest.MonkeyPatch, shift: int
) -> None:
    plain = attention.packed_attention

    def shifted(*args: Any, sliding_window: int | None = None, **more: Any) -> Any:
        return plain(*args, sliding_window=sliding_window and sliding_window + shift, **more)

    register = attention.register
    monkeypatch.setattr(attention, "register", lambda function=shifted: register(function))
    monkeypatch.setattr(attention, "packed_attention", shifted)
    with pytest.raises(CloisterError) as error:
        export(model("modernbert"), tmp_path / "b", precision="fp32")
    assert error.value.code == "fusion_incomplete"


def test_positions_that_start_elsewhere_are_found_out(
    tmp_path: Path, model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = packing.pack

    def shifted(tokens: Any, first_position: int, mask_id: int | None = None) -> Any:
        return plain(tokens, first_position + 1, mask_id)

    monkeypatch.setattr(trace, "pack", shifted)
    with pytest.raises(CloisterError) as error:
        export(model("bert"), tmp_path / "b", precision="fp32")
    assert error.value.code == "fusion_incomplete"
