"""Bundles that write text behind the service, as OpenAI's client and `/v1/translate` see them."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from openai import OpenAI

from benchmarks.streams import clients, settled
from cloister.export import export
from tests.generation.test_decoder import save
from tests.support.encoder_decoders import marian
from tests.support.service import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("models")
    export(save(home / "chat-model", "llama"), home / "chat", task="text-generation", precision=["fp32"])
    export(marian(home / "translator-model"), home / "translator", task="translation", precision=["fp32"])
    one = Server(f"chat={home / 'chat'}", f"translator={home / 'translator'}", "--audit", str(home / "log"))
    yield one
    assert one.stop() == 0


@pytest.fixture(scope="module")
def client(server: Server) -> OpenAI:
    return OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)


@pytest.mark.enable_socket
def test_a_chat_streams_what_it_answers_whole(client: OpenAI) -> None:
    asked: dict[str, Any] = {"model": "chat", "messages": [{"role": "user", "content": "Call 415-555-0132"}]}
    asked |= {"max_tokens": 12, "temperature": 0.0}
    whole = client.chat.completions.create(**asked)
    assert whole.usage.completion_tokens <= 12
    chunks = list(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    assert chunks[-1].usage.completion_tokens <= 12
    assert chunks[0].choices[0].delta.role == "assistant"


@pytest.mark.enable_socket
def test_a_seed_gives_the_same_text(client: OpenAI) -> None:
    def text() -> str:
        made = client.completions.create(model="chat", prompt="once upon", max_tokens=8, temperature=1.0, seed=5)
        return made.choices[0].text

    assert text() == text()


@pytest.mark.enable_socket
def test_constraints_are_kept(client: OpenAI) -> None:
    messages: list[Any] = [{"role": "user", "content": "yes or no"}]
    schema = {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"enum": [True, False]}}}
    made = client.chat.completions.create(model="chat", messages=messages, seed=1, response_format=schema)  # type: ignore[call-overload]
    assert json.loads(made.choices[0].message.content) in (True, False)
    chosen = client.chat.completions.create(
        model="chat", messages=messages, seed=1, extra_body={"guided_choice": ["yes", "no"]}
    )
    assert chosen.choices[0].message.content in ("yes", "no")


@pytest.mark.enable_socket
def test_texts_are_translated(server: Server, client: OpenAI) -> None:
    answer: dict[str, Any] = client.post(
        "/translate", body={"model": "translator", "input": ["Where is it?", "no"]}, cast_to=dict
    )
    data = answer["data"]
    assert [one["index"] for one in data] == [0, 1]
    assert all(one["finish_reason"] in ("stop", "length") for one in data)
    assert {model.id for model in client.models.list()} == {"chat", "translator"}


@pytest.mark.enable_socket
def test_choices_are_those_of_their_seeds(client: OpenAI) -> None:
    def texts(seed: int, n: int) -> list[str]:
        made = client.completions.create(model="chat", prompt="once", max_tokens=8, temperature=1.0, seed=seed, n=n)
        return [choice.text for choice in made.choices]

    assert texts(5, 3) == [texts(seed, 1)[0] for seed in (5, 6, 7)]


@pytest.mark.enable_socket
def test_the_next_turn_does_not_read_the_last_one_again(client: OpenAI) -> None:
    def cached(**more: Any) -> int:
        messages: list[Any] = [{"role": "user", "content": "one two three four five six seven eight nine " * 2}]
        made = client.chat.completions.create(model="chat", messages=messages, max_tokens=2, **more)
        return int(made.usage.prompt_tokens_details.cached_tokens)

    assert cached() == 0
    assert cached() >= 16
    assert cached(extra_body={"cache_salt": "another"}) == 0


@pytest.mark.enable_socket
def test_streams_that_are_left_leave_nothing(server: Server) -> None:
    ends = asyncio.run(clients("chat", server.port, 0, 60, at_once=30, tokens=60))
    assert ends["left"] + ends["complete"] == 60
    assert ends["left"] >= 20
    running, _ = settled(server.url, 20)
    assert running == 0
