"""Tiny encoder-decoders with random weights, one of every family, with tokenizers made from the built-in texts."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    GenerationConfig,
    M2M100Config,
    M2M100ForConditionalGeneration,
    M2M100Tokenizer,
    MarianConfig,
    MarianMTModel,
    MarianTokenizer,
    MBart50Tokenizer,
    MBartConfig,
    MBartForConditionalGeneration,
    MBartTokenizer,
    MT5Config,
    MT5ForConditionalGeneration,
    NllbTokenizer,
    T5Config,
    T5ForConditionalGeneration,
    T5Tokenizer,
)

from cloister.export.texts import CALIBRATION
from tests.support.models import tokenizer as fast_tokenizer

Config: Any = GenerationConfig  # transformers' configurations have no types that a checker could use
Weights = Callable[..., Any]
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
_LAYERS: dict[str, Any] = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
}


def spread(model: Any, embeddings: float = 0.3) -> Any:
    """Random weights large enough that every target depends on its source, and that some end before they must."""
    torch.manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim != 2 or "relative" in name:
                continue
            reads_source = any(
                part in name for part in ("encoder_attn.v", "encoder_attn.o", "Attention.v", "Attention.o")
            )
            size = (6.0 if reads_source else 3.0) / parameter.shape[1] ** 0.5
            parameter.normal_(0, embeddings if "embed" in name or "shared" in name else size)
        bias = getattr(model, "final_logits_bias", None)
        if bias is not None:
            bias.normal_(0, 1.0)
            bias[0, model.config.eos_token_id] += 12 * embeddings
    return model


def calm(model: Any) -> Any:
    """Random weights small enough that integers do not change what a few of them decide: for int8."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(3.0)
    return model


def _pieces(folder: Path, side: str, size: int, kind: str = "unigram") -> list[str]:
    """Train `side.spm`; returns its pieces."""
    corpus = folder / "corpus.txt"
    corpus.write_text("\n".join(t for t in CALIBRATION if t.isascii()), "utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus), model_prefix=str(folder / side), vocab_size=size, model_type=kind, minloglevel=2,
        hard_vocab_limit=False,
    )  # fmt: skip
    corpus.unlink()
    model = sentencepiece.SentencePieceProcessor(model_file=str(folder / f"{side}.model"))
    (folder / f"{side}.model").rename(folder / f"{side}.spm")
    (folder / f"{side}.vocab").unlink()
    return [model.id_to_piece(i) for i in range(model.get_piece_size())]


def marian(folder: Path, targets: Sequence[str] = (), weights: Weights = spread) -> Path:
    """A Marian; with targets one of several languages, chosen by `>>xx<<` before the source."""
    folder.mkdir()
    pieces = [piece for side, size in (("source", 200), ("target", 210)) for piece in _pieces(folder, side, size)]
    words = [p for p in dict.fromkeys(pieces) if p not in ("<s>", "</s>", "<unk>")]
    names = ["</s>", "<unk>", *(f">>{code}<<" for code in targets), *words, "<pad>"]
    (folder / "vocab.json").write_text(json.dumps({name: i for i, name in enumerate(names)}), "utf-8")
    MarianTokenizer(
        str(folder / "source.spm"), str(folder / "target.spm"), str(folder / "vocab.json"), model_max_length=64
    ).save_pretrained(folder)
    torch.manual_seed(0)
    pad = len(names) - 1
    config = MarianConfig(
        **_LAYERS, vocab_size=len(names), max_position_embeddings=64, pad_token_id=pad, eos_token_id=0,
        decoder_start_token_id=pad,
    )  # fmt: skip
    model = weights(MarianMTModel(config), 1.0) if weights is spread else weights(MarianMTModel(config))
    model.generation_config = Config(
        bad_words_ids=[[pad]], decoder_start_token_id=pad, eos_token_id=0, pad_token_id=pad, forced_eos_token_id=0,
        max_length=40, num_beams=4,
    )  # fmt: skip
    model.save_pretrained(folder)
    return folder


def marian_to_many(folder: Path) -> Path:
    """A Marian of several target languages."""
    return marian(folder, ("fra", "deu", "por_BR"))


def calm_marian(folder: Path) -> Path:
    """A Marian for int8."""
    return marian(folder, weights=calm)


def t5(folder: Path, weights: Weights = spread) -> Path:
    """A T5 whose config knows the words before a source: of a summary, and of translations."""
    words: Any = fast_tokenizer("unigram")
    words.save_pretrained(folder)
    torch.manual_seed(0)
    made: Any = T5Config
    config = made(
        vocab_size=len(words), d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4,
        decoder_start_token_id=words.pad_token_id, pad_token_id=words.pad_token_id,
        eos_token_id=words.convert_tokens_to_ids("</s>"),
        task_specific_params={
            "summarization": {"prefix": "summarize: ", "num_beams": 3, "length_penalty": 2.0, "early_stopping": True},
            "translation_en_to_de": {"prefix": "translate English to German: "},
            "translation_en_to_fr": {"prefix": "translate English to French: "},
        },
    )  # fmt: skip
    weights(T5ForConditionalGeneration(config)).save_pretrained(folder)
    return folder


def calm_t5(folder: Path) -> Path:
    """A T5 for int8; its scores are not scaled, so that its weights are large enough as they are made."""
    return t5(folder, lambda model: model)


def mt5(folder: Path) -> Path:
    """An mT5: gated layers, no table shared between input and output."""
    pieces = fast_tokenizer("unigram").get_vocab()
    words = [(piece, -4.0 - i / 100) for i, piece in enumerate(sorted(p for p in pieces if p not in SPECIAL))]
    names: Any = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *words]
    tokenizer: Any = T5Tokenizer
    made = tokenizer(vocab=names, extra_ids=0, model_max_length=64)
    made.save_pretrained(folder)
    torch.manual_seed(0)
    shape: Any = MT5Config
    config = shape(
        vocab_size=len(made), d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, decoder_start_token_id=0,
        pad_token_id=0, eos_token_id=1,
    )  # fmt: skip
    spread(MT5ForConditionalGeneration(config)).save_pretrained(folder)
    return folder


def bart(folder: Path, weights: Weights = spread) -> Path:
    """A BART."""
    words: Any = fast_tokenizer("bytes")
    words.save_pretrained(folder)
    torch.manual_seed(0)
    end = words.convert_tokens_to_ids("</s>")
    config = BartConfig(
        **_LAYERS, vocab_size=len(words), max_position_embeddings=80, pad_token_id=words.pad_token_id,
        bos_token_id=words.convert_tokens_to_ids("<s>"), eos_token_id=end, decoder_start_token_id=end,
        forced_eos_token_id=end,
    )  # fmt: skip
    weights(BartForConditionalGeneration(config)).save_pretrained(folder)
    return folder


def calm_bart(folder: Path) -> Path:
    """A BART for int8."""
    return bart(folder, calm)


def _unigram(codes: bool) -> list[tuple[str, float]]:
    """Scored pieces in fairseq's order; MBart's tokenizer has its language codes among them."""
    from transformers.models.mbart.tokenization_mbart import FAIRSEQ_LANGUAGE_CODES

    words = sorted(p for p in fast_tokenizer("unigram").get_vocab() if p not in (*SPECIAL, "<mask>"))
    scored = [(p, 0.0) for p in SPECIAL] + [(p, -4.0 - i / 100) for i, p in enumerate(words)]
    return scored + ([(p, 0.0) for p in (*FAIRSEQ_LANGUAGE_CODES, "<mask>")] if codes else [])


def mbart(folder: Path) -> Path:
    """An mBART-50 of many languages: the target's is its first token, after the end token that starts it."""
    tokenizer: Any = MBart50Tokenizer
    # This class takes pieces in SentencePiece's order: unknown, start, end, then the others.
    made = tokenizer(vocab=[("<unk>", 0.0), ("<s>", 0.0), ("</s>", 0.0), *_unigram(False)[4:]], model_max_length=64)
    made.save_pretrained(folder)
    return _mbart(folder, made, decoder_start_token_id=2)


def mbart_pair(folder: Path) -> Path:
    """An mBART of one pair of languages: the target starts with its language."""
    tokenizer: Any = MBartTokenizer
    made = tokenizer(vocab=_unigram(True), src_lang="en_XX", tgt_lang="ro_RO", model_max_length=64)
    made.save_pretrained(folder)
    return _mbart(folder, made, decoder_start_token_id=made.convert_tokens_to_ids("ro_RO"))


def _mbart(folder: Path, tokenizer: Any, **more: Any) -> Path:
    torch.manual_seed(0)
    config = MBartConfig(
        **_LAYERS, vocab_size=len(tokenizer), max_position_embeddings=64, pad_token_id=1, bos_token_id=0,
        eos_token_id=2, forced_eos_token_id=2, scale_embedding=True, **more,
    )  # fmt: skip
    model = spread(MBartForConditionalGeneration(config))
    model.generation_config = Config(
        pad_token_id=1, bos_token_id=0, eos_token_id=2, forced_eos_token_id=2, num_beams=5, max_length=40, **more
    )
    model.save_pretrained(folder)
    return folder


def m2m100(folder: Path) -> Path:
    """An M2M100."""
    folder.mkdir()
    words = [p for p in _pieces(folder, "sentencepiece.bpe", 200, "bpe") if p not in SPECIAL]
    (folder / "vocab.json").write_text(json.dumps({name: i for i, name in enumerate([*SPECIAL, *words])}), "utf-8")
    (folder / "sentencepiece.bpe.spm").rename(folder / "sentencepiece.bpe.model")
    made = M2M100Tokenizer(
        str(folder / "vocab.json"), str(folder / "sentencepiece.bpe.model"), src_lang="en", model_max_length=64
    )
    made.save_pretrained(folder)
    size = len(words) + len(SPECIAL) + len(made.lang_code_to_id) + made.num_madeup_words
    return _m2m100(folder, size, unused=made.num_madeup_words)


def nllb(folder: Path) -> Path:
    """An NLLB: an M2M100 with a byte-pair tokenizer and other language codes."""
    trained = Tokenizer(models.BPE(unk_token="<unk>"))
    trained.pre_tokenizer = pre_tokenizers.Metaspace()
    trained.train_from_iterator(CALIBRATION, trainers.BpeTrainer(vocab_size=300, special_tokens=SPECIAL))
    parts = json.loads(trained.to_str())["model"]
    tokenizer: Any = NllbTokenizer
    made = tokenizer(vocab=parts["vocab"], merges=[tuple(m) for m in parts["merges"]], model_max_length=64)
    made.save_pretrained(folder)
    return _m2m100(folder, len(made))


def _m2m100(folder: Path, size: int, unused: int = 0) -> Path:
    torch.manual_seed(0)
    config = M2M100Config(
        **_LAYERS, vocab_size=size, max_position_embeddings=64, pad_token_id=1, bos_token_id=0, eos_token_id=2,
        decoder_start_token_id=2, scale_embedding=True,
    )  # fmt: skip
    model = spread(M2M100ForConditionalGeneration(config))
    model.generation_config = Config(
        # A trained model writes neither padding, which has no position of its own in transformers, nor ids without
        # text.
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        decoder_start_token_id=2,
        max_length=40,
        bad_words_ids=[[1], *([i] for i in range(size - unused, size))],
    )
    model.save_pretrained(folder)
    return folder
