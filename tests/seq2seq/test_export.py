"""Tiny encoder-decoders with random weights: exported, loaded, and compared with transformers' `generate`."""

import json
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
import torch
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    GenerationConfig,
    MarianConfig,
    MarianMTModel,
    MarianTokenizer,
    T5Config,
    T5ForConditionalGeneration,
)

from cloister import InputTooLong, InvalidInput
from cloister.export import export
from cloister.export.texts import CALIBRATION, PROBES
from cloister.runtime import load
from cloister.runtime.generation import GenerationOptions
from tests.support.models import tokenizer as fast_tokenizer

TEXTS = [text[:50] for text in PROBES if text.isascii()][:9]


Config: Any = GenerationConfig  # it has no types


def spread(model: Any) -> Any:
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(3.0)
    return model


def marian(folder: Path) -> Path:
    folder.mkdir()
    corpus = folder / "corpus.txt"
    corpus.write_text("\n".join(t for t in CALIBRATION if t.isascii()), "utf-8")
    pieces = []
    for side, size in (("source", 200), ("target", 210)):
        sentencepiece.SentencePieceTrainer.train(
            input=str(corpus), model_prefix=str(folder / side), vocab_size=size, minloglevel=2, hard_vocab_limit=False
        )
        model = sentencepiece.SentencePieceProcessor(model_file=str(folder / f"{side}.model"))
        (folder / f"{side}.model").rename(folder / f"{side}.spm")
        (folder / f"{side}.vocab").unlink()
        pieces += [model.id_to_piece(i) for i in range(model.get_piece_size())]
    corpus.unlink()
    names = ["</s>", "<unk>", *dict.fromkeys(p for p in pieces if p not in ("<s>", "</s>", "<unk>")), "<pad>"]
    (folder / "vocab.json").write_text(json.dumps({name: i for i, name in enumerate(names)}), "utf-8")
    MarianTokenizer(
        str(folder / "source.spm"), str(folder / "target.spm"), str(folder / "vocab.json"), model_max_length=64
    ).save_pretrained(folder)
    torch.manual_seed(0)
    pad = len(names) - 1
    config = MarianConfig(
        vocab_size=len(names), d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4,
        decoder_attention_heads=4, encoder_ffn_dim=64, decoder_ffn_dim=64, max_position_embeddings=64, pad_token_id=pad,
        eos_token_id=0, decoder_start_token_id=pad,
    )  # fmt: skip
    model = spread(MarianMTModel(config))
    model.generation_config = Config(
        bad_words_ids=[[pad]], decoder_start_token_id=pad, eos_token_id=0, pad_token_id=pad, forced_eos_token_id=0,
        max_length=40, num_beams=4,
    )  # fmt: skip
    model.save_pretrained(folder)
    return folder


def t5(folder: Path) -> Path:
    words: Any = fast_tokenizer("unigram")
    words.save_pretrained(folder)
    torch.manual_seed(0)
    made: Any = T5Config
    config = made(
        vocab_size=len(words), d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4,
        decoder_start_token_id=words.pad_token_id, pad_token_id=words.pad_token_id,
        eos_token_id=words.convert_tokens_to_ids("</s>"),
    )  # fmt: skip
    T5ForConditionalGeneration(config).save_pretrained(folder)  # spread enough as it is made: its scores are unscaled
    return folder


def bart(folder: Path) -> Path:
    words: Any = fast_tokenizer("bytes")
    words.save_pretrained(folder)
    torch.manual_seed(0)
    end = words.convert_tokens_to_ids("</s>")
    config = BartConfig(
        vocab_size=len(words), d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4,
        decoder_attention_heads=4, encoder_ffn_dim=64, decoder_ffn_dim=64, max_position_embeddings=80,
        pad_token_id=words.pad_token_id, bos_token_id=words.convert_tokens_to_ids("<s>"), eos_token_id=end,
        decoder_start_token_id=end, forced_eos_token_id=end,
    )  # fmt: skip
    spread(BartForConditionalGeneration(config)).save_pretrained(folder)
    return folder


MAKERS = {"marian": (marian, "translation"), "t5": (t5, "summarization"), "bart": (bart, "text2text-generation")}


@pytest.fixture(scope="module", params=MAKERS)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    maker, task = MAKERS[request.param]
    root = tmp_path_factory.mktemp(request.param)
    model = maker(root / "model")
    export(model, root / "bundle", task=task, precision="int8,fp32")
    return model, root / "bundle"


def test_float_writes_what_generate_writes(made: tuple[Path, Path]) -> None:
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    from cloister.runtime.engine import Options

    folder, bundle = made
    engine: Any = load(bundle, options=Options(variant="fp32"))
    model: Any = AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    words: Any = AutoTokenizer.from_pretrained(folder)
    for beams in (1, 3):
        options = GenerationOptions(max_tokens=20, num_beams=beams)
        together = [written.text for written in engine.generate_all(TEXTS, options)]
        for text, got in zip(TEXTS, together, strict=True):
            inputs = {k: v for k, v in words(text, return_tensors="pt").items() if k != "token_type_ids"}
            ids = model.generate(**inputs, num_beams=beams, max_length=21, do_sample=False)[0]
            assert got.split() == words.decode(ids, skip_special_tokens=True).split()
            assert engine.generate(text, options).text() == got  # alone, and in pieces


def test_the_quantized_variant_holds_and_checks(made: tuple[Path, Path]) -> None:
    engine: Any = load(made[1], check=True)
    assert engine.variant.precision == "int8"
    assert engine.variant.parity.cosine_mean > 0.99
    first, again = (engine.generate_all(TEXTS, GenerationOptions(max_tokens=12)) for _ in range(2))
    alone = [engine.generate_all([text], GenerationOptions(max_tokens=12))[0] for text in TEXTS]
    assert [w.text for w in first] == [w.text for w in again] == [w.text for w in alone]


def test_sampling_follows_its_seed(made: tuple[Path, Path]) -> None:
    engine: Any = load(made[1])
    texts = [
        engine.generate(TEXTS[0], GenerationOptions(max_tokens=12, temperature=5.0, seed=seed)).text()
        for seed in (1, 1, 2)
    ]
    assert texts[0] == texts[1] != texts[2]


def test_bad_input(made: tuple[Path, Path]) -> None:
    engine: Any = load(made[1])
    with pytest.raises(InputTooLong):
        engine.generate("word " * 900)
    for options in (
        GenerationOptions(num_beams=0),
        GenerationOptions(target="xx_XX"),
        GenerationOptions(source="xx_XX"),
        GenerationOptions(temperature=1.0, num_beams=2),
    ):
        with pytest.raises(InvalidInput):
            engine.generate("hello", options)
    generation = engine.generate("hello", GenerationOptions(max_tokens=5))
    with pytest.raises(InvalidInput):
        _ = generation.summary
    generation.text()
    assert generation.summary.completion_tokens <= 5
