"""Every family, exported and loaded, against transformers' `generate`: token for token in float."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cloister import ExportError, InputTooLong, InvalidInput
from cloister.export import export
from cloister.export.texts import PROBES
from cloister.runtime import load
from cloister.runtime.engine import Options
from cloister.runtime.generation import GenerationOptions
from tests.seq2seq.conftest import QUANTIZED, TASKS, Made
from tests.support.encoder_decoders import marian

TEXTS = [text[:50] for text in PROBES if text.isascii()][:9]

# Source and target as Cloister is asked for them, for every family with languages, and the token of the target.
LANGUAGES: dict[str, list[tuple[str | None, str | None, str | None]]] = {
    "marian_to_many": [(None, "deu", ">>deu<<"), (None, "por_BR", ">>por_BR<<")],
    "mbart": [("de_DE", "fr_XX", "fr_XX"), ("en_XX", "zh_CN", "zh_CN")],
    "mbart_pair": [("en_XX", "ro_RO", "ro_RO"), (None, None, "ro_RO")],
    "m2m100": [("en", "fr", "__fr__"), ("de", "en", "__en__")],
    "nllb": [("eng_Latn", "fra_Latn", "fra_Latn"), ("zho_Hans", "eng_Latn", "eng_Latn")],
}


@cache
def floats(bundle: Path) -> Any:
    return load(bundle, options=Options(variant="fp32"))


@cache
def source(folder: Path) -> tuple[Any, Any]:
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    return AutoModelForSeq2SeqLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)


def written(folder: Path, texts: list[str], opening: dict[str, int], **more: Any) -> list[list[int]]:
    """What transformers writes for a batch, padded to its longest text: ids without padding after the end."""
    model, words = source(folder)
    rows = [words(text)["input_ids"] for text in texts]
    width = max(map(len, rows))
    ids = torch.tensor([[*row, *[model.config.pad_token_id] * (width - len(row))] for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    with torch.no_grad():
        found = model.generate(input_ids=ids, attention_mask=mask, do_sample=False, max_length=21, **opening, **more)
    targets = []
    for row in found.tolist():
        # The start token can be the end token (BART, M2M100), so the end is looked for behind it.
        end = next((i for i, t in enumerate(row) if i and t == model.config.eos_token_id), len(row) - 1)
        targets.append(row[: end + 1])
    return targets


def ours(engine: Any, texts: list[str], options: GenerationOptions) -> list[list[int]]:
    rules, tokens = engine._prepared(texts, options)
    targets: list[list[int]] = engine.model.search(tokens, rules)
    return targets


@pytest.mark.parametrize("family", TASKS)
def test_float_writes_what_generate_writes(made: Made, family: str) -> None:
    folder, bundle = made(family)
    engine = floats(bundle)
    _, words = source(folder)
    for from_, to, token in LANGUAGES.get(family, [(None, None, None)]):
        if from_ is not None:
            words.src_lang = from_
        prefix = engine.settings.prefixes.get("", "")
        texts = [f"{token} {t}" if family == "marian_to_many" else f"{prefix}{t}" for t in TEXTS]
        opening = {}
        if token is not None and family == "mbart_pair":
            opening = {"decoder_start_token_id": words.convert_tokens_to_ids(token)}
        elif token is not None and family != "marian_to_many":
            opening = {"forced_bos_token_id": words.convert_tokens_to_ids(token)}
        for beams in (1, 3):
            options = GenerationOptions(max_tokens=20, num_beams=beams, source=from_, target=to)
            found = ours(engine, TEXTS, options)
            assert found == written(folder, texts, opening, num_beams=beams)
            together = [one.text for one in engine.generate_all(TEXTS, options)]
            special = set(engine.settings.special_ids)
            for text, ids in zip(together, found, strict=True):
                assert text.split() == words.decode([i for i in ids if i not in special]).split()
        assert engine.generate(TEXTS[0], options).text() == together[0]  # alone
        options = GenerationOptions(max_tokens=20, num_beams=1, source=from_, target=to)
        assert (
            engine.generate(TEXTS[1], options).text() == engine.generate_all([TEXTS[1]], options)[0].text
        )  # in pieces
    assert len({tuple(ids) for ids in found}) > 2  # the texts differ, and so do their targets


@pytest.mark.parametrize("family", LANGUAGES)
def test_languages_are_the_models_own(made: Made, family: str) -> None:
    engine = floats(made(family)[1])
    _, words = source(made(family)[0])
    known = engine.settings.languages
    assert known
    for code, number in known.items():
        assert code in words.convert_ids_to_tokens(number)
    bad = [GenerationOptions(target="xx_XX"), GenerationOptions(source="xx_XX")]
    if engine.settings.default_target is None:
        bad.append(GenerationOptions())
    for options in bad:
        with pytest.raises(InvalidInput) as error:
            engine.generate("hello", options)
        assert "xx_XX" not in error.value.message
    first = ours(engine, ["hello"], GenerationOptions(target=LANGUAGES[family][0][1], max_tokens=4))[0]
    expected = known[LANGUAGES[family][0][1] or ""]
    if family == "mbart_pair":
        assert first[0] == expected
    elif family != "marian_to_many":
        assert first[1] == expected
    generation = engine.generate("hello", engine.probe_options())
    generation.text()
    assert generation.summary.completion_tokens <= 1
    assert engine.count_tokens("hello") > 1


def test_words_before_a_source(made: Made, tmp_path: Path) -> None:
    folder, bundle = made("t5")
    assert floats(bundle).settings.prefixes == {"": "summarize: "}
    export(folder, tmp_path / "bundle", task="translation", precision="fp32")
    engine = floats(tmp_path / "bundle")
    assert set(engine.settings.prefixes) == {"de", "fr"}
    for code, name in (("de", "German"), ("fr", "French")):
        options = GenerationOptions(max_tokens=20, num_beams=1, target=code)
        texts = [f"translate English to {name}: {text}" for text in TEXTS]
        assert ours(engine, TEXTS, options) == written(folder, texts, {}, num_beams=1)
    with pytest.raises(InvalidInput) as error:
        engine.generate("hello", GenerationOptions(target="it"))
    assert "de, fr" in error.value.hint


@pytest.mark.parametrize("family", QUANTIZED)
def test_the_quantized_variant_holds_and_checks(made: Made, family: str) -> None:
    engine: Any = load(made(family)[1], check=True)
    assert engine.variant.precision == "int8"
    assert engine.variant.parity.cosine_mean > 0.99
    assert engine.variant.float_nodes == 0
    assert not any(node.op_type == "MatMul" for node in engine.nodes)  # the output layer is in integers too
    options = GenerationOptions(max_tokens=12, target=engine.languages.some()[1])
    first, again = (engine.generate_all(TEXTS, options) for _ in range(2))
    alone = [engine.generate_all([text], options)[0] for text in TEXTS]
    assert [w.text for w in first] == [w.text for w in again] == [w.text for w in alone]


def test_the_graph_finds_the_best_tokens(made: Made) -> None:
    from cloister.runtime.beams import best_of, log_softmax
    from cloister.runtime.packing import pack

    engine = floats(made("bart")[1])
    tokens = engine.languages.encode(TEXTS, None, None)[0]
    arrays = pack(tokens, 0)

    def begun() -> Any:
        return engine.model.decoder.begin(engine.model.encoder.run(arrays), arrays["lengths"].astype(np.int32))

    start = np.full(len(TEXTS), engine.settings.start_id)
    values, ids = begun().best(start, 7)
    wanted, places = best_of(log_softmax(begun().step(start)), 7)
    assert ids.tolist() == places.tolist()
    np.testing.assert_allclose(values, wanted, rtol=1e-5, atol=1e-5)
    decoder = engine.model.decoder
    decoder.finds_best = False  # as in a bundle whose graph gives logits only
    try:
        old = ours(engine, TEXTS, GenerationOptions(max_tokens=10, num_beams=3))
    finally:
        decoder.finds_best = True
    assert old == ours(engine, TEXTS, GenerationOptions(max_tokens=10, num_beams=3))


def test_penalties_and_n_grams_as_transformers_has_them(made: Made, tmp_path: Path) -> None:
    folder, bundle = made("bart")
    engine = floats(bundle)
    for beams in (1, 3):
        options = GenerationOptions(max_tokens=20, num_beams=beams, repetition_penalty=1.4)
        assert ours(engine, TEXTS, options) == written(folder, TEXTS, {}, num_beams=beams, repetition_penalty=1.4)
        rules, tokens = engine._prepared(TEXTS, GenerationOptions(max_tokens=20, num_beams=beams))
        from dataclasses import replace

        found = engine.model.search(tokens, replace(rules, no_repeat_ngram_size=2, min_length=8))
        more = {"no_repeat_ngram_size": 2, "min_length": 8}
        assert found == written(folder, TEXTS, {}, num_beams=beams, **more)


def test_sampling_follows_its_seed(made: Made) -> None:
    engine: Any = load(made("marian")[1])
    texts = [
        engine.generate(TEXTS[0], GenerationOptions(max_tokens=12, temperature=5.0, seed=seed)).text()
        for seed in (1, 1, 2)
    ]
    assert texts[0] == texts[1] != texts[2]
    options = GenerationOptions(max_tokens=12, temperature=5.0, seed=1)
    assert engine.generate_all([TEXTS[3], TEXTS[0]], options)[1].text == texts[0]  # whatever is beside it


def test_defaults_of_sampling_come_from_the_generation_config(made: Made, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    marian(folder)
    path = folder / "generation_config.json"
    asked = json.loads(path.read_text())
    path.write_text(json.dumps({**asked, "do_sample": True, "num_beams": 1, "temperature": 3.0, "top_p": 0.9}))
    export(folder, tmp_path / "bundle", task="translation", precision="fp32")
    engine = floats(tmp_path / "bundle")
    said = engine.settings.sampling
    assert (said.temperature, said.top_k, said.top_p) == (3.0, 50, 0.9)
    rules, _ = engine._prepared(TEXTS, GenerationOptions(seed=3))
    assert (rules.sampling.temperature, rules.sampling.top_k, rules.num_beams) == (3.0, 50, 1)
    assert engine._prepared(TEXTS, GenerationOptions(num_beams=2))[0].sampling.temperature == 0
    assert engine._prepared(TEXTS, GenerationOptions(temperature=0.0))[0].sampling.temperature == 0
    path.write_text(json.dumps({**asked, "do_sample": True, "num_beams": 4}))
    with pytest.raises(ExportError):
        export(folder, tmp_path / "other", task="translation", precision="fp32")
    assert not (tmp_path / "other").exists()


def test_bad_input(made: Made) -> None:
    engine: Any = load(made("marian")[1])
    with pytest.raises(InputTooLong):
        engine.generate("word " * 900)
    for options in (
        GenerationOptions(num_beams=0),
        GenerationOptions(num_beams=65),
        GenerationOptions(length_penalty=1e9),
        GenerationOptions(top_p=0.0),
        GenerationOptions(logprobs=1),
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
