"""SentencePiece models (Marian, M2M100) as tokenizers of the tokenizers library, so that a bundle needs no other."""

import json
from pathlib import Path
from typing import Any

import numpy as np


def read(path: Path) -> Any:
    """A SentencePiece model's description."""
    from sentencepiece import sentencepiece_model_pb2

    description: Any = sentencepiece_model_pb2  # generated code without types
    model = description.ModelProto()
    model.ParseFromString(path.read_bytes())
    return model


_ORDINARY, _UNKNOWN, _USER, _BYTE = 1, 2, 4, 6


def tokenizer(model: Any) -> str:
    """A `tokenizer.json` that cuts texts as the model does; ids are places in the model's list of pieces.

    Pieces that no text contains (unknown, control) get names that no normalized text contains.
    """
    kinds = [piece.type for piece in model.pieces]
    names = [
        piece.piece if kind in (_ORDINARY, _USER, _BYTE) else f"\x00{index}"
        for index, (piece, kind) in enumerate(zip(model.pieces, kinds, strict=True))
    ]
    unknown = kinds.index(_UNKNOWN)
    steps: list[Any] = []
    if model.normalizer_spec.precompiled_charsmap:
        import base64

        charsmap = base64.b64encode(model.normalizer_spec.precompiled_charsmap).decode()
        steps.append({"type": "Precompiled", "precompiled_charsmap": charsmap})
    if model.normalizer_spec.remove_extra_whitespaces:
        steps.append({"type": "Strip", "strip_left": True, "strip_right": True})
        steps.append({"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "})
    space = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": _scheme(model), "split": True}
    if model.trainer_spec.model_type == 2:  # byte-pair encoding
        inner = {
            "type": "BPE",
            "dropout": None,
            "unk_token": names[unknown],
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": bool(model.trainer_spec.byte_fallback),
            "ignore_merges": False,
            "vocab": {name: index for index, name in enumerate(names)},
            "merges": _merges(model, names),
        }
    else:
        inner = {
            "type": "Unigram",
            "unk_id": unknown,
            "vocab": [[name, piece.score] for name, piece in zip(names, model.pieces, strict=True)],
            "byte_fallback": bool(model.trainer_spec.byte_fallback),
        }
    return _json({"type": "Sequence", "normalizers": steps} if steps else None, space, inner, space)


def _scheme(model: Any) -> str:
    return "always" if model.normalizer_spec.add_dummy_prefix else "never"


def _merges(model: Any, names: list[str]) -> list[list[str]]:
    """Pairs of pieces in the order in which the model joins them: the best scored first."""
    scores = {name: piece.score for name, piece in zip(names, model.pieces, strict=True) if piece.type == _ORDINARY}
    found = []
    for whole, score in scores.items():
        for cut in range(1, len(whole)):
            left, right = whole[:cut], whole[cut:]
            if left in scores and right in scores:
                found.append((-score, -scores[left], -scores[right], left, right))
    return [[left, right] for *_, left, right in sorted(found)]


def target_tokenizer(vocabulary: dict[str, int]) -> str:
    """A `tokenizer.json` that only turns ids into text: pieces joined, `▁` a space."""
    inner = {"type": "WordLevel", "vocab": vocabulary, "unk_token": "<unk>"}
    space = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    return _json(None, space, inner, space)


def _json(normalizer: Any, splitter: Any, model: Any, decoder: Any) -> str:
    return json.dumps(
        {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [],
            "normalizer": normalizer,
            "pre_tokenizer": splitter,
            "post_processor": None,
            "decoder": decoder,
            "model": model,
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )


def ids(model: Any, vocabulary: dict[str, int], unknown: int) -> bytes:
    """The vocabulary's id of every piece, as little-endian int32."""
    return np.array([vocabulary.get(piece.piece, unknown) for piece in model.pieces], "<i4").tobytes()
