"""Generated English texts for the tagger: spans, parts, determinism."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloister.export.labelled import read_labelled
from recipes.tagger import english, english_templates, identities, noise

ROOT = Path(__file__).resolve().parents[2]
PARTS: tuple[identities.Part, ...] = ("train", "validation", "test")


class Numbered(english.Filler):
    """Values of digits, which no noise changes: every slot of the text its own number."""

    def fill(self, slot: str, number: str) -> tuple[str, str | None]:
        label = english.label_of(slot)
        value = str(10_000_000 + len(self.values))
        self.values[value, label or ""] = value
        return value, label


def test_templates_are_many_and_every_slot_is_known() -> None:
    texts = english_templates.templates()
    negatives = english_templates.GENRES["negative"]
    assert len(texts) == len(set(texts.values())) >= 310
    assert len(negatives) >= 60
    for text in texts.values():
        slots = [(found[1], found[3]) for found in english.SLOT.finditer(text)]
        for slot, _ in slots:
            english.label_of(slot)
        left = english.SLOT.sub("", english.CHOICE.sub("", text))
        assert not re.search(r"\{[a-z_]+[0-9|]*\w*\}|\[\[|\]\]", left), text
    for text in negatives:
        assert not any(english.label_of(found[1]) for found in english.SLOT.finditer(text)), text


def test_held_out_templates_cover_every_genre_and_exist() -> None:
    known, listed = english_templates.templates(), english_templates.heldout()
    assert not listed["validation"] & listed["test"]
    for part in ("validation", "test"):
        assert listed[part] <= known.keys()
        genres = {name.split("-")[0] for name in listed[part]}
        assert genres | {"neutral"} == english_templates.GENRES.keys() | {"neutral"}
        share = len(listed[part]) / len(known)
        assert 0.1 < share < 0.16


@settings(deadline=None)  # the first call reads the lists of names
@given(st.sampled_from(sorted(english_templates.templates())), st.integers(0, 2**32))
def test_spans_cut_the_values_whatever_the_noise(name: str, seed: int) -> None:
    rng = Random(seed)
    filler = Numbered(rng, "train")
    made, _ = noise.roughen(rng, english.segments(english_templates.templates()[name], filler))
    text, entities = english.assemble(made)
    found = [(word, e["label"]) for e in entities for word in re.findall(r"\d{8}", text[e["start"] : e["end"]])]
    assert sorted(found) == sorted((value, label) for value, label in filler.values if label)
    for entity in entities:  # nothing but values, and what stands between a first and a last name
        assert re.fullmatch(r"\d{8}((,?\s+|, ?)\d{8})?", text[entity["start"] : entity["end"]])


@settings(deadline=None)  # the first call reads the lists of names
@given(st.integers(0, 2**32))
def test_every_kind_of_noise_keeps_segments_and_labels(seed: int) -> None:
    rng = Random(seed)
    made = english.segments(
        english_templates.templates()[rng.choice(english_templates.of_part("train"))], english.Filler(rng, "train")
    )
    rough, _ = noise.roughen(rng, made)
    offset = len(rough) - len(made)
    assert offset in (0, 1)  # a mark before the line
    assert [s.label for s in rough[offset:]] == [s.label for s in made]


@pytest.mark.parametrize("part", PARTS)
def test_texts_of_a_part(part: identities.Part) -> None:
    allowed = set(english_templates.of_part(part))
    seen: set[str] = set()
    labels: Counter[str] = Counter()
    origins: set[tuple[str, str]] = set()
    for example in english.examples(3, 1500, part):
        names = example.template.split("+")
        assert set(names) <= allowed
        assert example.text not in seen
        seen.add(example.text)
        end = 0
        for entity in example.entities:
            assert end <= entity["start"] < entity["end"] <= len(example.text)
            assert example.text[entity["start"] : entity["end"]].strip()
            end = entity["end"]
            labels[entity["label"]] += 1
        if all(name.startswith("negative-") for name in names):
            assert example.entities == []
            assert example.origin == ""
        origins.add((example.origin, example.gender))
    assert labels.keys() == set(english.LABELS)
    assert origins == {("", "")} | {(o, g) for o in identities.ORIGINS for g in identities.GENDERS}


@settings(deadline=None)  # the first call reads the lists of names
@given(st.integers(0, 2**32), st.sampled_from(PARTS))
def test_people_have_names_of_their_part_alone(seed: int, part: identities.Part) -> None:
    person = identities.identity(Random(seed), part)
    for name in (person.first, person.middle, person.last, person.second):
        assert identities.in_part(name, part)
        assert not any(identities.in_part(name, other) for other in PARTS if other != part)


def test_no_word_of_a_held_out_name_in_persons_of_the_training_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(english, "roughen", lambda rng, made: (made, "original"))  # typos would make other words
    words: set[str] = set()
    for example in english.examples(5, 2000, "train"):
        for e in example.entities:
            if e["label"] == "PERSON":
                words |= set(identities.name_words(example.text[e["start"] : e["end"]]))
    assert len(words) > 1000
    assert {word for word in words if identities.word_part(word) != "train"} == set()


def test_fairness_has_every_group_with_names_of_the_test_part() -> None:
    groups: dict[tuple[str, str], list[english.Example]] = {}
    for example in english.fairness(2, 24):
        groups.setdefault((example.origin, example.gender), []).append(example)
    assert groups.keys() == {(o, g) for o in identities.ORIGINS for g in identities.GENDERS}
    templates = [[example.template for example in made] for made in groups.values()]
    assert all(row == templates[0] for row in templates)
    assert set(templates[0]) <= english_templates.heldout()["test"]
    for made in groups.values():
        persons = [x.text[e["start"] : e["end"]] for x in made for e in x.entities if e["label"] == "PERSON"]
        assert len(set(persons)) > len(persons) / 2
        assert all(identities.in_part(person, "test") for person in persons)


def test_every_group_has_held_out_names_enough_for_a_table() -> None:
    for origin in identities.ORIGINS:
        for gender in identities.GENDERS:
            people = [identities.identity(Random(seed), "test", origin, gender) for seed in range(300)]
            assert len({p.first for p in people}) >= 15
            assert len({p.last for p in people}) >= 25


def test_same_texts_in_every_process_and_a_file_the_reader_takes(tmp_path: Path) -> None:
    files = [tmp_path / "a.jsonl", tmp_path / "b.jsonl", tmp_path / "c.jsonl"]
    for file, hashing, seed in zip(files, ("1", "2", "1"), ("7", "7", "8"), strict=True):
        subprocess.run(
            [
                sys.executable,
                "-m",
                "recipes.tagger.english",
                "--count",
                "300",
                "--part",
                "train",
                "--seed",
                seed,
                str(file),
            ],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hashing},
            check=True,
        )
    assert files[0].read_bytes() == files[1].read_bytes() != files[2].read_bytes()
    read = read_labelled(files[0])
    assert read.kind == "tagging"
    assert (len(read.examples), read.duplicates) == (300, 0)
    written = [json.loads(line) for line in files[0].read_text("utf-8").splitlines()]
    for row, example in zip(written, read.examples, strict=True):
        assert [(e["start"], e["end"], e["label"]) for e in row["entities"]] == [
            (e.start, e.end, e.label) for e in example.entities
        ]
