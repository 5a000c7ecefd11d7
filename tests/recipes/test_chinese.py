import hashlib
import importlib.util
import itertools
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("babel", reason="the Chinese recipe's texts come from packages of the extra `recipes`")
pytest.importorskip("django", reason="the extra `recipes` is not installed")
pytest.importorskip("jieba", reason="the extra `recipes` is not installed")
pytest.importorskip("jupyterlab_language_pack_zh_CN", reason="the extra `recipes` is not installed")
pytest.importorskip("opencc", reason="the extra `recipes` is not installed")
pytest.importorskip("rest_framework", reason="the extra `recipes` is not installed")

from cloister.export.labelled import read_labelled
from recipes.tagger.chinese import WITHOUT, Example, Span, examples, parsed, plain_lines, template_part, write
from recipes.tagger.chinese_figures import measure
from recipes.tagger.chinese_messages import messages
from recipes.tagger.chinese_slots import LABELS, Part, Slots, name_part
from recipes.tagger.chinese_templates import NEGATIVE, TEMPLATES
from recipes.tagger.chinese_words import segmented, simplified, traditional

PARTS: tuple[Part, ...] = ("train", "validation", "test")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def made() -> dict[str, list[Example]]:
    return {part: list(examples(3, 800, part)) for part in PARTS}


def test_spans_lie_in_the_text_in_order_and_hold_no_white_space_at_their_ends(made: dict[str, list[Example]]) -> None:
    for one in (e for part in made.values() for e in part):
        end = 0
        for span in one.entities:
            assert end <= span.start < span.end <= len(one.text)
            value = one.text[span.start : span.end]
            assert value == value.strip()
            assert span.label in LABELS.values()
            end = span.end


def _line(template: str) -> str:
    genre, _, place = template.rpartition("-")
    return TEMPLATES[genre][int(place)] if genre in TEMPLATES and "+" not in template else ""


def test_a_template_without_disorder_is_filled_in_its_slots_and_nowhere_else(made: dict[str, list[Example]]) -> None:
    checked = 0
    for one in made["test"]:
        line = _line(one.template)
        if one.script == "hant" or line.count("{") != 1 or not one.entities:
            continue
        before, rest = line.split("{")
        after = rest.split("}")[1]
        span = one.entities[0]
        # A message may stand before the template: where the slot comes first, nothing would tell.
        if before and one.text.startswith(before) and one.text.endswith(after):
            assert one.text[: span.start] == before
            assert one.text[span.end :] == after
            checked += 1
    assert checked >= 10


def test_parts_share_no_template_and_no_given_name(made: dict[str, list[Example]]) -> None:
    templates = {part: {i for e in made[part] for i in e.template.split("+")} for part in PARTS}
    known = {f"{genre}-{i}" for genre, lines in TEMPLATES.items() for i in range(len(lines))}
    assert templates["test"] | templates["validation"] <= known | {"messages"}
    for one, other in itertools.combinations(PARTS, 2):
        assert templates[one] & templates[other] <= {"messages"}
        for script in (False, True):
            assert not set(messages(one, traditional=script)) & set(messages(other, traditional=script))
    for part in PARTS:
        assert {template_part(i) for i in templates[part] - {"dictionary", "messages"}} == {part}


def test_given_names_are_drawn_from_their_part_only() -> None:
    import random

    for part in PARTS:
        slots = Slots(random.Random(5), part)
        drawn = [slots.fill("given", traditional=script) for script in (True, False) for _ in range(100)]
        assert {name_part(name) for name in drawn} == {part}
    assert name_part("晓岚") == name_part("曉嵐")


def test_the_held_out_list_names_templates_that_exist_once() -> None:
    lists = json.loads((ROOT / "recipes/tagger/heldout_templates_zh.json").read_text("utf-8"))
    every = lists["test"] + lists["validation"]
    assert len(every) == len(set(every))
    assert set(every) <= {f"{genre}-{i}" for genre, lines in TEMPLATES.items() for i in range(len(lines))}
    for genre, lines in TEMPLATES.items():
        assert sum(t.rpartition("-")[0] == genre for t in lists["test"]) >= len(lines) * 0.15


def test_there_are_enough_templates_of_each_kind() -> None:
    assert sum(len(t) for g, t in TEMPLATES.items() if g not in NEGATIVE) >= 340
    assert sum(len(TEMPLATES[g]) for g in NEGATIVE) >= 600
    lines = [line for block in TEMPLATES.values() for line in block]
    assert len(lines) == len(set(lines))
    assert sum(len(t) for g, t in TEMPLATES.items() if g.endswith("_tw")) >= 40


def test_held_out_lines_without_entities_are_enough_for_a_figure() -> None:
    assert len(plain_lines("test")) >= 100
    assert not set(plain_lines("test")) & (set(plain_lines("train")) | set(plain_lines("validation")))
    assert not any("{" in line for line in plain_lines("test"))


def test_negatives_have_no_entity(made: dict[str, list[Example]]) -> None:
    plain = [e for part in ("validation", "test") for e in made[part] if e.genre in WITHOUT]
    assert len(plain) > 50
    assert not any(e.entities for e in plain)
    # In training some have names in the place of nouns, and nothing else.
    exchanged = [s.label for e in made["train"] if e.genre in WITHOUT for s in e.entities]
    assert exchanged
    assert set(exchanged) == {"PERSON"}
    assert not any(slot in "".join(TEMPLATES[g]) for g in NEGATIVE for slot in (f"{{{s}}}" for s in LABELS))


def test_texts_are_the_same_in_every_process(tmp_path: Path) -> None:
    digests = set()
    for hash_seed in ("1", "2"):
        out = tmp_path / f"{hash_seed}.jsonl"
        subprocess.run(
            [sys.executable, "-m", "recipes.tagger.chinese", "--count", "150", "--seed", "9", str(out)],
            check=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
        )
        digests.add(hashlib.sha256(out.read_bytes()).hexdigest())
    here = tmp_path / "here.jsonl"
    write(here, 9, 150, "train")
    digests.add(hashlib.sha256(here.read_bytes()).hexdigest())
    assert len(digests) == 1


def test_the_file_is_labelled_data(tmp_path: Path) -> None:
    file = tmp_path / "texts.jsonl"
    write(file, 1, 400, "test")
    data = read_labelled(file)
    assert data.kind == "tagging"
    assert set(data.labels) == set(LABELS.values())


def test_every_genre_label_and_script_occurs(made: dict[str, list[Example]]) -> None:
    train = made["train"]
    assert {e.genre for e in train} == {*TEMPLATES, "dictionary", "messages"}
    assert {s.label for e in train for s in e.entities} == set(LABELS.values())
    scripts = Counter(e.script for e in train)
    assert 0.1 < scripts["hant"] / len(train) < 0.35
    names = {e.text[s.start : s.end] for e in train for s in e.entities if s.label == "PERSON"}
    assert any("·" in name for name in names)
    assert any(name.isascii() for name in names)


def test_parsed_sentences_are_words_and_entities_side_by_side() -> None:
    for one in parsed(2, 50):
        covered = sum(span.end - span.start for span in one.entities)
        assert covered >= len(one.text) // 2
        assert all(a.end <= b.start for a, b in zip(one.entities, one.entities[1:], strict=False))


def test_characters_are_converted_one_for_one() -> None:
    assert traditional("张伟来开会") == "張偉來開會"
    assert simplified("張偉來開會") == "张伟来开会"
    assert [word for word, _ in segmented("他很高兴地工作")] == ["他", "很", "高兴", "地", "工作"]


def test_figures_count_overlaps_and_exact_spans() -> None:
    gold = [Span(0, 3, "PERSON"), Span(10, 12, "PERSON")]
    found = [Span(0, 2, "PERSON"), Span(10, 12, "PERSON"), Span(20, 22, "PERSON"), Span(30, 31, "LOCATION")]
    figures = measure([("x" * 40, gold)], [found], "PERSON")
    assert (figures.there, figures.said) == (2, 3)
    assert figures.recall == 1.0
    assert figures.precision == pytest.approx(2 / 3)
    assert figures.exact_recall == 0.5
    assert figures.exact_precision == pytest.approx(1 / 3)


def test_the_tokenizer_keeps_every_character_apart_and_its_place() -> None:
    from recipes.tagger.chinese_model import tokenizer, vocabulary

    tokens = vocabulary()
    assert len(tokens) == len(set(tokens)) < 6500
    text = "患者 张伟\n138，John买买提·艾力"
    encoding = tokenizer(tokens).encode(text, add_special_tokens=False)
    assert [text[a:b] for a, b in encoding.offsets] == list(text)
    assert "[UNK]" not in encoding.tokens


def test_the_bundle_finds_names_that_the_rules_miss() -> None:
    if importlib.util.find_spec("onnxruntime") is None:
        pytest.skip("needs onnxruntime")
    from cloister.runtime.tagger import from_bundle

    texts = ["请刘志远、陈晓梅到前面来领奖", "系统正在升级，请稍后再试"]
    first, second = from_bundle(ROOT / "recipes/tagger/chinese_bundle")(texts)
    found = {entity.text for entity in first if entity.label == "PERSON"}
    assert {"刘志远", "陈晓梅"} <= found
    assert not [entity for entity in second if entity.label == "PERSON" and entity.score > 0.98]
