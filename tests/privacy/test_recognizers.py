from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
import regex

from cloister.privacy import Redactor
from cloister.privacy.prefilter import Gate, RegexPrefilter, compile_hyperscan, hyperscan_prefilter, re2_prefilter
from cloister.privacy.recognizers import CATEGORIES, Recognizer, recognizers
from cloister.privacy.rules import expression
from cloister.privacy.scan import Scanner

ALL = recognizers()


@pytest.mark.parametrize("recognizer", ALL, ids=lambda r: r.name)
def test_finds_its_example(recognizer: Recognizer, everything: Redactor) -> None:
    assert recognizer.entity in everything.redact(recognizer.example).counts


@pytest.mark.parametrize("recognizer", ALL, ids=lambda r: r.name)
def test_is_declared_well(recognizer: Recognizer) -> None:
    assert recognizer.category in CATEGORIES
    assert recognizer.source
    assert not recognizer.context or recognizer.context_score > recognizer.score
    assert expression(recognizer).search("") is None
    assert expression(recognizer).fullmatch("") is None


def test_names_are_unique() -> None:
    assert len({recognizer.name for recognizer in ALL}) == len(ALL)


@pytest.mark.parametrize("recognizer", ALL, ids=lambda r: r.name)
def test_a_gate_opens_for_the_example(recognizer: Recognizer) -> None:
    flags = regex.DOTALL | regex.MULTILINE | (0 if recognizer.cased else regex.IGNORECASE)
    gates = recognizer.gates or (recognizer.pattern,)
    assert any(regex.search(gate, recognizer.example, flags) for gate in gates)


def test_the_three_engines_agree(bench: dict[str, ModuleType]) -> None:
    gates = Scanner(ALL, RegexPrefilter).gates
    engines: list[Any] = [
        RegexPrefilter(gates),
        re2_prefilter(gates),
        hyperscan_prefilter(compile_hyperscan(gates), gates),
    ]
    texts = [recognizer.example for recognizer in ALL]
    for index, (entity, name, value, english, chinese) in enumerate(bench["values"].values(1)):
        texts += [
            bench["values"].carrier(index, english, chinese, make(value))[1]
            for make in bench["transforms"].TRANSFORMS(entity, name).values()
        ]
    from cloister.privacy.text import fold

    for text in texts:
        plain = fold(text).text
        answers = [sorted(engine.fired(plain)) for engine in engines]
        assert answers[0] == answers[1] == answers[2], plain
        assert [engine.any_fired(plain) for engine in engines] == [bool(answers[0])] * 3


def test_gates_that_no_automaton_takes_are_searched_one_by_one() -> None:
    gates = [Gate(r"(a)\1"), Gate("b"), Gate("C", cased=True)]
    assert sorted(re2_prefilter(gates).fired("aab c")) == [0, 1]
    assert sorted(RegexPrefilter(gates).fired("aab c")) == [0, 1]
    assert sorted(hyperscan_prefilter(compile_hyperscan(gates), gates).fired("aab c")) == [0, 1]
    for text, any_fired in (("aab c", True), ("aa", True), ("xb", True), ("c", False), ("", False)):
        assert re2_prefilter(gates).any_fired(text) is any_fired
        assert RegexPrefilter(gates).any_fired(text) is any_fired
        assert hyperscan_prefilter(compile_hyperscan(gates), gates).any_fired(text) is any_fired


@pytest.mark.parametrize("layer", ["plain", "one layer", "two layers"])
def test_evasion(layer: str, everything: Redactor, bench: dict[str, ModuleType]) -> None:
    import random

    values, transforms = bench["values"], bench["transforms"]
    r = random.Random(3)
    tried = hit = 0
    for index, (entity, name, value, english, chinese) in enumerate(values.values(3, seed=23)):
        if layer == "plain":
            forms = [value]
        elif layer == "one layer":
            forms = [make(value) for make in transforms.TRANSFORMS(entity, name).values()]
        else:
            forms = [transforms.two_layers(r, value)[0]]
        for form in forms:
            language, text, start = values.carrier(index, english, chinese, form)
            spans = everything.redact(text, language).spans
            tried += 1
            hit += any(s.entity == entity and s.start < start + len(form) and start < s.end for s in spans)
    assert hit / tried >= {"plain": 0.99, "one layer": 0.98, "two layers": 0.9}[layer]


def test_lookalikes(bench: dict[str, ModuleType], everything: Redactor) -> None:
    texts = bench["lookalikes"].suite(8, seed=31)
    assert len(texts) >= 400
    alarms = [text for language, text in texts if set(everything.redact(text, language).counts) - {"PERSON"}]
    assert len(alarms) / len(texts) <= 0.005, alarms


def test_name_free_sentences(bench: dict[str, ModuleType], everything: Redactor) -> None:
    named = [text for text in bench["lookalikes"].NAME_FREE if "PERSON" in everything.redact(text, "zh").counts]
    assert not named


def test_prose_with_all_kinds_of_values(everything: Redactor) -> None:
    text = "高先生的手机是13812345678。请拨打热线400-820-8820咨询。客服QQ群12345678。今年30岁的他获得了第5名。"
    counts = everything.redact(text, "zh").counts
    assert counts["PERSON"] == 1
    assert counts["PHONE_NUMBER"] >= 1
    assert counts["CN_QQ"] == 1
