"""Tiny random models of every text model family that transformers has, and what became of their export.

    python -m tests.support.sweep [MODEL_TYPE …]

exports the families named (or those that were never tried) and writes the outcomes into `tests/data/families.json`.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForMaskedLM, AutoModelForTextEncoding, PreTrainedModel
from transformers.models.auto import modeling_auto

from cloister import CloisterError
from cloister.export import export
from cloister.export.architectures import facts
from cloister.runtime import Engine, Options, load
from cloister.runtime.bundle import read
from tests.support.models import AUTO, tokenizer

_MAPPINGS = {
    "text-classification": "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES",
    "token-classification": "MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES",
    "fill-mask": "MODEL_FOR_MASKED_LM_MAPPING_NAMES",
    "question-answering": "MODEL_FOR_QUESTION_ANSWERING_MAPPING_NAMES",
    "feature-extraction": "MODEL_FOR_TEXT_ENCODING_MAPPING_NAMES",
}
LABELS = ["O", "B-PER", "I-PER"]
WINDOW = 150
TABLE = Path(__file__).resolve().parents[1] / "data" / "families.json"
UNTRIED = "untried"
_LARGEST = 4_000_000

# Whatever of these a configuration knows is set; more special settings stand in _SPECIAL.
_TINY: dict[str, Any] = {
    **dict.fromkeys(("hidden_size", "d_model", "dim", "n_embd", "emb_dim", "word_embed_proj_dim"), 64),
    **dict.fromkeys(("embedding_size", "input_embedding_size"), 32),
    **dict.fromkeys(("intermediate_size", "d_ff", "hidden_dim", "n_inner", "d_inner", "moe_intermediate_size"), 128),
    **dict.fromkeys(("ffn_dim", "encoder_ffn_dim", "decoder_ffn_dim", "shared_expert_intermediate_size"), 128),
    **dict.fromkeys(("num_hidden_layers", "num_layers", "n_layer", "n_layers", "encoder_layers", "decoder_layers"), 2),
    **dict.fromkeys(("num_encoder_layers", "num_decoder_layers"), 2),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads"), 4),
    **dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 4),
    **dict.fromkeys(("num_key_value_heads", "kv_n_heads"), 2),
    **dict.fromkeys(("head_dim", "d_kv", "kv_channels"), 16),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "max_encoder_position_embeddings"), WINDOW + 10),
    **dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts"), 4),
    **dict.fromkeys(("sliding_window",), 9),
    "local_attention": 18,
    "attention_window": 16,
    "type_vocab_size": 2,
}


_LATENT = {
    "num_key_value_heads": 4,
    "kv_lora_rank": 32,
    "q_lora_rank": 32,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 8,
    "qk_head_dim": 16,
    "v_head_dim": 16,
    "head_dim": 8,
    "num_experts_per_tok": 2,
    "first_k_dense_replace": 1,
    "n_group": 2,
    "topk_group": 1,
}
_GEMMA = {**{k: v for k, v in _TINY.items() if k.startswith(("hidden", "inter", "num_", "head"))}, "vocab_size": 2048}
_ROTARY = {kind: {"rope_type": "default", "rope_theta": 1e4} for kind in ("sliding_attention", "full_attention")}
_SPECIAL: dict[str, dict[str, Any]] = {
    **{key: {"decoder_start_token_id": 0} for key in ("t5", "mt5", "umt5")},
    **dict.fromkeys(("deepseek_v2", "deepseek_v3", "axk1", "axk2", "minicpm3", "mistral4"), _LATENT),
    **{key: {"num_experts_per_tok": 2} for key in ("qwen3_moe", "qwen2_moe")},
    "cohere_compass_text": {"layer_types": list(_ROTARY), "rope_parameters": _ROTARY},
    "esmc": {"num_key_value_heads": 4},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "window_size": 9},
    "gptj": {"rotary_dim": 8},
    "luke": {"entity_vocab_size": 8, "entity_emb_size": 16},
    "reformer": {"axial_pos_shape": [16, 16], "axial_pos_embds_dim": [32, 32], "attn_layers": ["local", "lsh"]},
    "roc_bert": {"pronunciation_vocab_size": 8, "shape_vocab_size": 8},
    "squeezebert": {"embedding_size": 64},
    "t5gemma": {"encoder": _GEMMA, "decoder": _GEMMA},
    "xmod": {"default_language": "en_XX"},
}


@dataclass(frozen=True)
class Outcome:
    """What became of a family: its path and why, or why it was refused."""

    task: str
    path: str
    reason: str


def families() -> dict[str, list[str]]:
    """Every model type that transformers maps to a supported task, with those tasks."""
    found: dict[str, list[str]] = {}
    for task, name in _MAPPINGS.items():
        for model_type in getattr(modeling_auto, name):
            found.setdefault(model_type, []).append(task)
    return dict(sorted(found.items()))


def save(folder: Path, model_type: str, task: str, **special: Any) -> Path:
    """Write a tiny model of a family with random weights, spread enough that masks and positions matter."""
    config = AutoConfig.for_model(model_type)
    if facts(model_type).refused:  # refused by its configuration, before there are any weights
        config.save_pretrained(folder)
        return folder
    known = set(config.to_dict())
    after_padding = facts(model_type).positions == "after padding"
    words = tokenizer("bytes" if after_padding else "wordpiece", window=WINDOW)
    settings = {key: value for key, value in _TINY.items() if key in known}
    settings |= {"vocab_size": len(words) + 8, "pad_token_id": words.pad_token_id}
    settings |= {"bos_token_id": words.cls_token_id, "eos_token_id": words.sep_token_id}
    settings |= _SPECIAL.get(model_type, {}) | special
    if "class" in task:
        settings["id2label"] = dict(enumerate(LABELS))
        settings["label2id"] = {label: i for i, label in enumerate(LABELS)}
    config = AutoConfig.for_model(model_type, **settings)
    auto: Any = {**AUTO, "fill-mask": AutoModelForMaskedLM}[task]
    if task == "feature-extraction" and config.is_encoder_decoder:
        auto = AutoModelForTextEncoding
    with torch.device("meta"):
        size = sum(p.numel() for p in auto.from_config(config).parameters())
    if size > _LARGEST:
        raise ValueError(f"{model_type} is not tiny: {size} parameters")
    torch.manual_seed(0)
    model: PreTrainedModel = auto.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(2.0)
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def read_table() -> dict[str, Outcome]:
    """The outcome that every family is expected to have."""
    return {name: Outcome(**fields) for name, fields in json.loads(TABLE.read_text("utf-8")).items()}


def write_table(outcomes: Mapping[str, Outcome]) -> None:
    """Write expected outcomes, sorted."""
    fields = {name: asdict(outcome) for name, outcome in sorted(outcomes.items())}
    TABLE.write_text(json.dumps(fields, indent=1, ensure_ascii=False) + "\n", "utf-8")


_TASKS = dict.fromkeys(("t5", "mt5", "umt5"), "feature-extraction")  # what their encoders are used for


def task_of(model_type: str, tasks: list[str]) -> str:
    """The task a family is tried with: the first it has of those that ask most of the export."""
    return _TASKS.get(model_type) or next(task for task in _MAPPINGS if task in tasks)


def same_bits(bundle: Path) -> None:
    """A text's outputs must not depend on its batch: alone, among others, and in another order."""
    for variant in read(bundle).manifest.encoder.variants:
        _same_bits(load(bundle, options=Options(variant=variant.name)))


def _same_bits(engine: Engine) -> None:
    texts: list[Any] = [f"{'word ' * (i * 5 % 31)}number {i}" for i in range(12)]
    if engine.task == "question-answering":
        texts = [("Which number?", text) for text in texts]
    elif engine.task == "fill-mask":
        texts = [f"{engine.tokenizer.raw.id_to_token(engine.manifest.tokenizer.mask_id or 0)} {text}" for text in texts]
    else:
        texts += [("one text", "and a second, longer text"), ("a pair", "b")]
    tokens = engine.tokenize(texts, truncate=True)
    alone = [engine.forward([one])[0] for one in tokens]
    together = engine.forward(tokens)
    turned = engine.forward(tokens[::-1])[::-1]
    for a, b, c in zip(alone, together, turned, strict=True):
        assert np.array_equal(a, b), "bits depend on the batch"
        assert np.array_equal(a, c), "bits depend on the order"


def run(model_type: str, task: str, check: Callable[[Path, Path], None] | None = None) -> Outcome:
    """Export one family in float and in int8 and say what became of it.

    Args:
        model_type: of transformers.
        task: one of its tasks.
        check: called with the folders of the model and of the bundle.
    """
    with tempfile.TemporaryDirectory() as folder:
        source = save(Path(folder) / "model", model_type, task)
        try:
            report = export(source, Path(folder) / "bundle", task=task, precision=["fp32", "int8"])
        except CloisterError as error:
            return Outcome(task, "refused", f"{error.code}: {error.message}")
        if check is not None:
            check(source, Path(folder) / "bundle")
        return Outcome(task, report.path, report.path_reason)


def main(names: list[str]) -> None:
    """Try families and note what became of them, one by one, so that a stopped run keeps what it has."""
    known, found = families(), read_table()
    for name in names or [n for n in known if n not in found or found[n].path == UNTRIED]:
        found[name] = run(name, task_of(name, known[name]), lambda _, bundle: same_bits(bundle))
        write_table(found)
        sys.stdout.write(f"{name}: {found[name].path} ({found[name].reason})\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
