"""all-MiniLM-L6-v2 made smaller before it is trained: fewer layers, and the part of its vocabulary that English uses.

`python -m recipes.tagger.base OUT --pieces N --layers 0,1,2,3,4,5 TEXTS…` writes a model folder.
"""

import argparse
import json
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from benchmarks.workbench import model_folder

WINDOW = 256
"""Tokens. Longer texts are read in overlapping windows, and positions that nothing uses cost 384 bytes each."""
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_EMBEDDINGS = "embeddings.word_embeddings.weight"
_POSITIONS = "embeddings.position_embeddings.weight"


def chosen(vocabulary: dict[str, int], tokenizer: Tokenizer, texts: Iterable[str], size: int) -> list[str]:
    """Pieces to keep: the special ones, every letter that any kept word may fall back to, the pieces that the texts
    use, and of the others those with the lowest ids, since BERT's vocabulary is ordered by frequency.
    """
    counts = Counter(piece for text in texts for piece in tokenizer.encode(text, add_special_tokens=False).tokens)
    latin = [piece for piece in vocabulary if all(ord(c) < 0x250 or 0x2010 <= ord(c) <= 0x2126 for c in piece)]
    letters = [piece for piece in latin if len(piece.removeprefix("##")) == 1]
    used = sorted((piece for piece in counts if counts[piece] > 1), key=lambda piece: (-counts[piece], piece))
    others = sorted((p for p in latin if not p.startswith("[unused")), key=vocabulary.__getitem__)
    kept = list(dict.fromkeys([*_SPECIAL, *letters, *used, *others]))[:size]
    return sorted(kept, key=lambda piece: (piece not in _SPECIAL, vocabulary[piece]))


def small(out: Path, texts: Iterable[str], *, size: int, layers: Sequence[int]) -> None:
    """Write the smaller model folder.

    Args:
        texts: what the vocabulary is to cover.
        size: pieces of the vocabulary.
        layers: of the base, those that stay, in order.
    """
    source = model_folder()
    out.mkdir(parents=True, exist_ok=True)
    document: dict[str, Any] = json.loads((source / "tokenizer.json").read_text("utf-8"))
    vocabulary: dict[str, int] = document["model"]["vocab"]
    plain = Tokenizer.from_file(str(source / "tokenizer.json"))
    plain.no_truncation()
    plain.no_padding()
    pieces = chosen(vocabulary, plain, texts, size)
    numbers = {piece: number for number, piece in enumerate(pieces)}
    document["model"]["vocab"] = numbers
    document["truncation"] = document["padding"] = None
    for token in document["added_tokens"]:
        token["id"] = numbers[token["content"]]
    for name, token in document["post_processor"]["special_tokens"].items():
        token["ids"] = [numbers[name]]
    (out / "tokenizer.json").write_text(json.dumps(document, ensure_ascii=False), "utf-8")
    settings = json.loads((source / "tokenizer_config.json").read_text("utf-8"))
    settings["model_max_length"] = WINDOW
    settings.pop("added_tokens_decoder", None)
    (out / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
    shutil.copy(source / "special_tokens_map.json", out)

    config = json.loads((source / "config.json").read_text("utf-8"))
    config |= {
        "vocab_size": len(pieces),
        "num_hidden_layers": len(layers),
        "max_position_embeddings": WINDOW,
        "pad_token_id": numbers["[PAD]"],
    }
    (out / "config.json").write_text(json.dumps(config, indent=1), "utf-8")
    weights = load_file(source / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if not name.startswith(("encoder.layer.", "pooler."))}
    kept.pop("embeddings.position_ids", None)
    kept[_EMBEDDINGS] = weights[_EMBEDDINGS][torch.tensor([vocabulary[piece] for piece in pieces])].clone()
    kept[_POSITIONS] = weights[_POSITIONS][:WINDOW].clone()
    for number, layer in enumerate(layers):
        prefix = f"encoder.layer.{layer}."
        kept |= {
            f"encoder.layer.{number}.{name.removeprefix(prefix)}": tensor.clone()
            for name, tensor in weights.items()
            if name.startswith(prefix)
        }
    save_file(kept, out / "model.safetensors", metadata={"format": "pt"})


def texts_of(files: Iterable[Path]) -> list[str]:
    """Texts of labelled data."""
    return [json.loads(line)["text"] for file in files for line in file.read_text("utf-8").split("\n") if line]


def main() -> None:
    """Write a model folder."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--pieces", type=int, required=True)
    parser.add_argument("--layers", default="0,1,2,3,4,5")
    given = parser.parse_args()
    layers = [int(number) for number in given.layers.split(",")]
    small(given.out, texts_of(given.files), size=given.pieces, layers=layers)


if __name__ == "__main__":
    main()
