"""Tiny models with random weights, of real architectures, with real (small) tokenizers, written as model folders."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from cloister.export.texts import CALIBRATION

AUTO: dict[str, Any] = {
    "feature-extraction": AutoModel,
    "text-classification": AutoModelForSequenceClassification,
    "token-classification": AutoModelForTokenClassification,
    "question-answering": AutoModelForQuestionAnswering,
    "fill-mask": AutoModelForMaskedLM,
    "zero-shot-classification": AutoModelForSequenceClassification,
    "text-ranking": AutoModelForSequenceClassification,
    "sentence-similarity": AutoModel,
}

_SIZES: dict[str, Any] = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "max_position_embeddings": 80,
}


@dataclass(frozen=True)
class Family:
    """How to make a tiny model of one architecture."""

    model_type: str
    tokenizer: str
    sizes: dict[str, Any] = field(default_factory=lambda: dict(_SIZES))


FAMILIES = {
    f.model_type: f
    for f in (
        Family("bert", "wordpiece"),
        Family(
            "distilbert",
            "wordpiece",
            {"dim": 64, "n_layers": 2, "n_heads": 4, "hidden_dim": 128, "max_position_embeddings": 80},
        ),
        Family("roberta", "bytes", {**_SIZES, "max_position_embeddings": 82}),
        Family("xlm-roberta", "unigram", {**_SIZES, "max_position_embeddings": 82}),
        Family("camembert", "unigram", {**_SIZES, "max_position_embeddings": 82}),
        Family("electra", "wordpiece", {**_SIZES, "embedding_size": 32}),
        Family("albert", "unigram", {**_SIZES, "embedding_size": 32}),
        Family("modernbert", "wordpiece", {**_SIZES, "local_attention": 18}),
        Family("mpnet", "wordpiece", {**_SIZES, "max_position_embeddings": 82}),
        Family("deberta-v2", "unigram", {**_SIZES, "relative_attention": True, "pos_att_type": ["p2c", "c2p"]}),
    )
}


def _words(made: Tokenizer) -> list[str]:
    """Words of the calibration texts as the tokenizer cuts them, the frequent ones first."""
    cut: Any = made.pre_tokenizer
    normal: Any = made.normalizer
    counts = Counter(word for text in CALIBRATION for word, _ in cut.pre_tokenize_str(normal.normalize_str(text)))
    return sorted(counts, key=lambda word: (-counts[word], word))


def _parts(words: list[str]) -> list[str]:
    """Every letter of the words, and the pairs of letters that stand in four of them: other words are made of these."""
    pairs = Counter(word[i : i + 2] for word in words for i in range(len(word) - 1))
    return sorted({letter for word in words for letter in word} | {pair for pair, n in pairs.items() if n >= 4})


def _numbered(pieces: list[str]) -> dict[str, int]:
    return {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}


def tokenizer(kind: str, window: int = 80) -> PreTrainedTokenizerFast:
    """A small tokenizer: `wordpiece` as BERT's, `bytes` as RoBERTa's, `unigram` as XLM-RoBERTa's.

    The same in every process: the trainers of word pieces and unigrams break ties by chance, so those are made by hand.
    """
    special = {"wordpiece": ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]}.get(
        kind, ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    )
    if kind == "wordpiece":
        made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        made.normalizer = normalizers.BertNormalizer(lowercase=True)
        made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        made.decoder = decoders.WordPiece()
        words = _words(made)
        parts = _parts(words)
        pieces = [*special, *parts, *(f"##{part}" for part in parts), *words]
        made.model = models.WordPiece(_numbered(pieces), unk_token="[UNK]")
    elif kind == "bytes":
        made = Tokenizer(models.BPE())
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=special, initial_alphabet=alphabet)
        made.train_from_iterator(CALIBRATION, trainer)
    else:
        made = Tokenizer(models.Unigram())
        made.normalizer = normalizers.NFKC()
        made.pre_tokenizer = pre_tokenizers.Metaspace()
        made.decoder = decoders.Metaspace()
        words = _words(made)
        scored = dict.fromkeys(_parts(words), -9.0)
        scored |= {word: -4.0 - rank / 1000 for rank, word in enumerate(words) if len(word) > 1}
        scored |= dict.fromkeys(special, 0.0)
        made.model = models.Unigram(
            [*((name, scored.pop(name)) for name in special), *scored.items()],
            unk_id=special.index("<unk>"),
            byte_fallback=False,
        )
        made.add_special_tokens(special)
    first, last = (special[2], special[3]) if kind == "wordpiece" else (special[0], special[2])
    ids = {name: made.token_to_id(name) for name in special}
    pair = f"{first} $A {last} $B:1 {last}:1" if kind == "wordpiece" else f"{first} $A {last} {last} $B {last}"
    made.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}", pair=pair, special_tokens=[(first, ids[first]), (last, ids[last])]
    )
    pad, unk = ("[PAD]", "[UNK]") if kind == "wordpiece" else ("<pad>", "<unk>")
    names = (
        ["input_ids", "token_type_ids", "attention_mask"] if kind == "wordpiece" else ["input_ids", "attention_mask"]
    )
    fast: Any = PreTrainedTokenizerFast
    made_fast: PreTrainedTokenizerFast = fast(
        tokenizer_object=made,
        pad_token=pad,
        unk_token=unk,
        cls_token=first,
        sep_token=last,
        mask_token=special[-1],
        model_input_names=names,
        model_max_length=window,
    )
    return made_fast


def save(folder: Path, family: str, task: str, *, labels: list[str] | None = None, **config: Any) -> Path:
    """Write a model folder with random weights, spread enough that outputs of different texts differ."""
    facts = FAMILIES[family]
    words = tokenizer(facts.tokenizer)
    settings: dict[str, Any] = {**facts.sizes, "vocab_size": len(words), "pad_token_id": words.pad_token_id, **config}
    if labels is not None:
        settings["id2label"] = dict(enumerate(labels))
        settings["label2id"] = {label: i for i, label in enumerate(labels)}
    torch.manual_seed(0)
    model: PreTrainedModel = AUTO[task].from_config(AutoConfig.for_model(family, **settings))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(3.0)
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder
