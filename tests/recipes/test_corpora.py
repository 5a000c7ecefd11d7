"""The corpora in one format: spans lie where the words are, parts share no source, label maps are what they say."""

import itertools
import json
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloister.export.labelled import read_labelled
from recipes.tagger import corpora
from recipes.tagger.corpora import BTC, PARTS, SEC, WNUT17, Part, join, share, template

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Z", "C")), min_size=1, max_size=6)


@given(st.lists(st.tuples(WORDS, st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-X", "I-X"])), min_size=1))
def test_spans_cover_the_marked_words(marked: list[tuple[str, str]]) -> None:
    words, tags = [w for w, _ in marked], [t for _, t in marked]
    text, spans = join(words, tags, BTC)
    assert text.replace(" ", "") == "".join(words)
    inside = "".join(text[start:end].replace(" ", "") for start, end, _ in spans)
    assert inside == "".join(word for word, tag in marked if tag[2:] in BTC)
    assert all(text[start] != " " != text[end - 1] for start, end, _ in spans)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))


def test_text_is_written_as_people_write_it() -> None:
    words = ["Ann", "'s", "car", "(", "red", ")", "did", "n't", "cost", "$", "5", ",", "OK", "?"]
    assert join(words, ["O"] * len(words), {})[0] == "Ann's car (red) didn't cost $5, OK?"


def test_neighbours_with_labels_of_their_own_stay_apart() -> None:
    text, spans = join(["Rome", "Paris", "Bo"], ["B-LOC", "B-LOC", "I-LOC"], BTC)
    assert [text[a:b] for a, b, _ in spans] == ["Rome", "Paris Bo"]
    text, spans = join(["in", "New", "York"], ["O", "I-LOC", "I-LOC"], SEC)  # IOB1
    assert [(text[a:b], label) for a, b, label in spans] == [("New York", "LOCATION")]


def test_a_template_has_one_name_in_both_vocabularies() -> None:
    assert template("I live at {{STREET_ADDRESS}}, {{GPE}}") == template("I live at  {{address}},\n{{location}}")
    assert template("I am {{person}}") != template("I am {{organization}}")


def test_held_out_templates_belong_to_one_part() -> None:
    held = json.loads(corpora.HELD_OUT.read_text("utf-8"))
    assert set(held) <= set(PARTS) == set(get_args(Part))
    assert len(set(held["test"]) & set(held["choice"])) == 0
    assert len(held["test"]) >= 30


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Sets of the same form as the real ones."""
    files = {
        "ner_en_wnut17/wnut17train.conll": "Ann\tB-person\nof\tO\nAcme\tB-corporation\n\nBeatles\tB-group\n",
        "ner_en_wnut17/emerging.dev.conll": "".join(f"in\tO\nRome\tB-location\nday{i}\tO\n\n" for i in range(40)),
        "ner_en_btc/a.conll": "".join(f"hi\tO\nBo\tB-PER\nLee{i}\tI-PER\n\n" for i in range(80)),
        "ner_en_btc/b.conll": "the\tO\nEU\tB-ORG\n",
        "ner_en_btc/e.conll": "Oslo\tB-LOC\n",
        "ner_en_secfilings/FIN5.txt": "-DOCSTART- -X- O O\n\nthe DT - O\nLender NN - I-PER\nAcme NNP - I-ORG\n\n"
        + "".join(f"-DOCSTART- -X- O O\n\nVirginia NNP - I-LOC\ntext{i} NN - O\n\n" for i in range(3)),
        "span_restaurant8k/train_0.json": json.dumps(
            [
                {
                    "userInput": {"text": f"Bo Lee at 5, table {i}"},
                    "labels": [
                        {"slot": "last_name", "valueSpan": {"startIndex": 3, "endIndex": 6}},
                        {"slot": "first_name", "valueSpan": {"endIndex": 2}},
                        {"slot": "time", "valueSpan": {"startIndex": 10, "endIndex": 11}},
                        {"slot": "people", "valueSpan": {"startIndex": 0, "endIndex": 2}},
                    ],
                }
                for i in range(60)
            ]
        ),
        "pii_presidio_research/split_shared.jsonl": json.dumps(
            {
                "full_text": "Bo lives in Oslo, card 4111",
                "masked": "{{PERSON}} lives in {{GPE}}, card {{CREDIT_CARD}}",
                "spans": [
                    {"entity_type": "GPE", "start_position": 12, "end_position": 16},
                    {"entity_type": "PERSON", "start_position": 0, "end_position": 2},
                    {"entity_type": "CREDIT_CARD", "start_position": 23, "end_position": 27},
                ],
            }
        ),
    }
    for name, content in files.items():
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
    return tmp_path / "data"


def test_corpora_are_read_with_what_they_looked_for(data: Path, tmp_path: Path) -> None:
    corpora.write(data, tmp_path / "out")
    found = {
        name: {(e.label, str(x.input)[e.start : e.end]) for x in read_labelled(path).examples for e in x.entities}
        for name in corpora.CORPORA
        if (path := tmp_path / "out" / f"{name}-train.jsonl").stat().st_size
    }
    assert found["wnut17"] == {("PERSON", "Ann"), ("ORGANIZATION", "Acme"), ("ORGANIZATION", "Beatles")}
    assert found["sec"] == {("ORGANIZATION", "Acme"), ("LOCATION", "Virginia")}, "Lender is no person"
    assert found["restaurant8k"] == {("PERSON", "Bo Lee"), ("DATE_TIME", "5")}
    assert found["presidio"] == {("PERSON", "Bo"), ("LOCATION", "Oslo")}
    looked = {n: {x.annotated for x in read_labelled(tmp_path / "out" / f"{n}-train.jsonl").examples} for n in found}
    assert looked["sec"] == {("LOCATION", "ORGANIZATION")}
    assert looked["presidio"] == {("ADDRESS", "LOCATION", "PERSON")}
    assert looked["wnut17"] == {tuple(sorted(set(WNUT17.values())))}


def test_no_text_stands_in_two_parts(data: Path) -> None:
    for name, read in corpora.CORPORA.items():
        parts: dict[str, set[str]] = {part: set() for part in PARTS}
        for text in read(data):
            parts[text.part].add(text.text)
        assert not parts["train"] & parts["test"], name
        assert not parts["train"] & parts["choice"], name
        assert not parts["choice"] & parts["test"], name
    assert {text.part for text in corpora.btc(data)} == set(PARTS)
    assert {text.part for text in corpora.wnut17(data)} == set(PARTS)


def test_shares_are_spread_evenly() -> None:
    shares = [share(f"text {i}") for i in range(2000)]
    assert 0.45 < sum(s < 0.5 for s in shares) / len(shares) < 0.55
    assert share("a") == share("a")
