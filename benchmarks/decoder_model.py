"""A decoder of Qwen3-0.6B's shape with random weights, and its int4 bundle: made once, kept in `.work/decode`.

The tokenizer is byte-level with made-up pieces up to the model's vocabulary: speed depends on how many tokens there
are, not on what they say.
"""

import json
import sys
from pathlib import Path
from typing import Any

WORK = Path(__file__).resolve().parent.parent / ".work" / "decode"

SHAPE: dict[str, Any] = {
    "hidden_size": 1024,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "intermediate_size": 3072,
    "vocab_size": 151936,
    "max_position_embeddings": 4096,
    "rope_theta": 1000000.0,
    "tie_word_embeddings": True,
}


def words(folder: Path, vocabulary: int) -> None:
    """Write a byte-level tokenizer of so many tokens, the last of which ends a text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    names = letters + [f"Ġpiece{i}" for i in range(vocabulary - len(letters) - 1)]
    made: Any = Tokenizer(models.BPE(vocab={name: i for i, name in enumerate(names)}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    fast: Any = PreTrainedTokenizerFast
    special = dict.fromkeys(("eos_token", "pad_token"), "<end>")
    fast(tokenizer_object=made, model_max_length=4096, **special).save_pretrained(folder)


def folder() -> Path:
    """The model folder in float32."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    out = WORK / "model"
    if (out / "done").exists():
        return out
    out.mkdir(parents=True, exist_ok=True)
    words(out, SHAPE["vocab_size"])
    end = SHAPE["vocab_size"] - 1
    torch.manual_seed(0)
    config: Any = AutoConfig
    causal: Any = AutoModelForCausalLM
    model: Any = causal.from_config(
        config.for_model("qwen3", bos_token_id=None, eos_token_id=end, pad_token_id=end, **SHAPE)
    )
    model.generation_config.eos_token_id = end
    model.save_pretrained(out)
    (out / "done").touch()
    return out


def bundle() -> Path:
    """Its bundle by Cloister's own export, int4 as by default."""
    from cloister.export import export

    out = WORK / "bundle"
    if not (out / "manifest.json").exists():
        export(folder(), out, force=True)
    return out


if __name__ == "__main__":
    made = bundle()
    size = sum(path.stat().st_size for path in made.iterdir())
    json.dump({"bundle_bytes": size}, sys.stdout)
