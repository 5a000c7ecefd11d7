"""Bundles of many languages behind `/v1/translate` and the command line."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloister.runtime import load
from cloister.runtime.generation import GenerationOptions
from cloister.runtime.http.application import build
from cloister.runtime.settings import Settings
from tests.seq2seq.conftest import Made
from tests.support.service import Client


@pytest.fixture(scope="module")
def client(made: Made) -> Iterator[Client]:
    one = Client(build(Settings(bundles=[f"nllb={made('nllb')[1]}", f"pair={made('mbart_pair')[1]}"])))
    yield one
    one.close()


def test_languages_are_fields_of_the_request(client: Client, made: Made) -> None:
    texts = ["Where is the station?", "Good morning."]
    engine: Any = load(made("nllb")[1])
    found = []
    for target in ("fra_Latn", "zho_Hans"):
        body = {"model": "nllb", "input": texts, "source": "eng_Latn", "target": target}
        answer = client.post("/v1/translate", body)
        assert answer.status_code == 200, answer.text
        said = [one["text"] for one in answer.json()["data"]]
        options = GenerationOptions(source="eng_Latn", target=target)
        assert [text.split() for text in said] == [w.text.split() for w in engine.generate_all(texts, options)]
        found.append(said)
    assert found[0] != found[1]
    assert client.post("/v1/translate", {"model": "pair", "input": texts}).status_code == 200


@pytest.mark.parametrize("more", [{}, {"target": "xx_Xxxx"}, {"target": "fra_Latn", "source": "xx_Xxxx"}])
def test_a_missing_or_unknown_language_is_bad_input(client: Client, more: dict[str, str]) -> None:
    answer = client.post("/v1/translate", {"model": "nllb", "input": "hello", **more})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert "ace_Latn" in error["hint"]
    assert "xx_Xxxx" not in answer.text


def test_a_model_that_needs_a_language_is_ready(client: Client) -> None:
    assert client.get("/health/ready").status_code == 200


def cloister(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "cloister"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_inspect_shows_what_a_user_wants_to_know(made: Made) -> None:
    shown = cloister("inspect", made("nllb")[1]).stdout
    rows = dict(line.split("  ", 1) for line in shown.splitlines())
    rows = {name.strip(): value.strip() for name, value in rows.items()}
    assert rows["task"] == "translation"
    assert rows["window"] == "64 tokens of a source, 39 of a target"
    assert rows["languages"].startswith("202, the target's is its first token: ace_Arab, ace_Latn, ")
    assert rows["languages"].endswith(" and 190 more")
    assert rows["by default"] == "source eng_Latn"
    assert rows["search"] == "greedy, 1 token never written"
    assert rows["sampling"] == "none unless asked for"
    assert rows["memory"] == "0.5 kB of keys and values for each token of the source, and of every beam"
    assert {"fp32 encoder", "fp32 decoder", "fp32 parity", "vocabulary"} <= set(rows)
    assert rows["fp32 best token"] == "100.0% equal to the source model's"
    assert "labels" not in rows
    marian = cloister("inspect", made("calm_marian")[1]).stdout
    assert all(f"\n{part} " in marian for part in ("int8 encoder", "int8 decoder", "fp32 encoder", "fp32 decoder"))
    assert "4 beams, length penalty 1, 1 token never written" in marian
    assert "prefix" in cloister("inspect", made("t5")[1]).stdout
    assert json.loads(cloister("inspect", made("nllb")[1], "--json").stdout)["encoder_decoder"]["vocabulary"] == 530
