"""The base of the Chinese tagger: a vocabulary of characters, a tokenizer and a small model with random weights."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

from faker import Faker
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from .chinese_slots import LABELS, Slots
from .chinese_words import given_characters, simplified, traditional, words

__all__ = ["WINDOW", "tokenizer", "vocabulary", "write_base"]

WINDOW = 512
"""Most tokens the model reads at once; longer texts are read in windows."""
_REACH = 32

_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_SPACE = "▁"
_LATIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_MARKS = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~，。、；：？！“”‘’（）【】《》〈〉「」『』—…·•・～￥→×°％／－〇０１２３４５６７８９"  # noqa: E501


def _level_one() -> set[str]:
    """The 3,755 characters of GB 2312 level 1."""
    made = {bytes((high, low)).decode("gb2312", "ignore") for high in range(0xB0, 0xD8) for low in range(0xA1, 0xFF)}
    return made - {""}


def vocabulary() -> list[str]:
    """Tokens in the order of their ids: special, marks, digits, letters, characters.

    Characters are those of GB 2312 level 1, of given names and surnames in the dictionary, of Faker's tables, and the
    traditional forms of all of these.
    """
    simple = _level_one() | set(given_characters().values)
    for kind in ("n", "v", "ns", "nt", "d", "a"):
        counted: dict[str, int] = {}
        for character in itertools.chain.from_iterable(words()[kind].values):
            counted[character] = counted.get(character, 0) + 1
        simple |= {character for character, count in counted.items() if count >= 8}
    taiwan = set()
    slots = Slots(random.Random(0), "train")
    for slot in LABELS:
        taiwan |= {c for _ in range(1500) for c in slots.fill(slot, traditional=True)}
    for provider in Faker(["zh_CN", "zh_TW"]).factories:
        for source in provider.get_providers():
            tables = (getattr(source, name, ()) for name in ("first_names", "last_names", "cities", "districts"))
            taiwan |= {c for table in tables for word in table for c in str(word)}
    simple |= {simplified(c) for c in taiwan if "\u4e00" <= c <= "\u9fff"}
    han = {c for c in simple | {traditional(c) for c in simple} | taiwan if "\u4e00" <= c <= "\u9fff"}
    plain = [_SPACE, *_MARKS, *"0123456789", *_LATIN]
    continued = [f"##{c}" for c in (*"0123456789", *_LATIN)]
    return [*_SPECIAL, *dict.fromkeys((*plain, *continued, *sorted(han)))]


def tokenizer(tokens: list[str]) -> Tokenizer:
    """A fast tokenizer: Latin words and numbers in pieces, every other character and every run of space a token."""
    made = Tokenizer(models.WordPiece({t: i for i, t in enumerate(tokens)}, unk_token="[UNK]"))  # noqa: S106
    made.normalizer = normalizers.Replace(Regex(r"\s+"), _SPACE)
    made.pre_tokenizer = pre_tokenizers.Split(Regex(r"[A-Za-z]+|[0-9]+|."), "isolated")
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", tokens.index("[CLS]")), ("[SEP]", tokens.index("[SEP]"))],
    )
    return made


def write_base(folder: Path, seed: int, *, layers: int = 4, hidden: int = 128, inner: int = 256) -> None:
    """Write a model folder with random weights.

    A ModernBERT (Warner et al., 2024) whose every layer looks at a few characters on both sides, by rotary positions: a
    name is told from what stands around it, wherever it stands in the text.
    """
    import torch
    from transformers import ModernBertConfig, ModernBertModel, PreTrainedTokenizerFast

    tokens = vocabulary()
    fast_tokenizer: Any = PreTrainedTokenizerFast  # which has no types
    fast = fast_tokenizer(
        tokenizer_object=tokenizer(tokens),
        model_max_length=WINDOW,
        **{f"{name.strip('[]').lower()}_token": name for name in _SPECIAL},
    )
    config = ModernBertConfig(
        vocab_size=len(tokens),
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 32,
        intermediate_size=inner,
        max_position_embeddings=WINDOW,
        layer_types=["sliding_attention"] * layers,
        local_attention=_REACH,
        pad_token_id=tokens.index("[PAD]"),
        cls_token_id=tokens.index("[CLS]"),
        sep_token_id=tokens.index("[SEP]"),
        bos_token_id=tokens.index("[CLS]"),
        eos_token_id=tokens.index("[SEP]"),
        tie_word_embeddings=False,
    )
    torch.manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    ModernBertModel(config).save_pretrained(folder)
    fast.save_pretrained(folder)
