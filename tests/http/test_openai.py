"""OpenAI's asynchronous client, unchanged, on a service around a tiny model: streams, leaving, forms, probabilities."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from openai import AsyncOpenAI, BadRequestError, OpenAI

from cloister.export import export
from tests.generation.test_decoder import save
from tests.support.service import Server

STREAMS = 8


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("models")
    export(save(home / "model", "llama"), home / "chat", precision="fp32")
    one = Server(f"chat={home / 'chat'}")
    yield one
    assert one.stop() == 0


@pytest.fixture
def client(server: Server) -> OpenAI:
    return OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)


def say(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "chat", "messages": [{"role": "user", "content": text}], **more}


async def streamed(client: AsyncOpenAI, **asked: Any) -> str:
    stream: Any = await client.chat.completions.create(**asked, stream=True)
    return "".join([c.choices[0].delta.content or "" async for c in stream if c.choices])


@pytest.mark.enable_socket
def test_streams_in_parallel_are_what_each_is_alone(server: Server, client: OpenAI) -> None:
    asked = [say(f"Text {i}", max_tokens=16, temperature=1.0, seed=i) for i in range(STREAMS)]

    async def together() -> list[str]:
        async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as one:
            return await asyncio.gather(*(streamed(one, **a) for a in asked))

    alone: list[Any] = [client.chat.completions.create(**a) for a in asked]
    assert asyncio.run(together()) == [answer.choices[0].message.content for answer in alone]


@pytest.mark.enable_socket
def test_closing_a_stream_ends_it_and_the_others_go_on(server: Server) -> None:
    async def leave(client: AsyncOpenAI, number: int) -> int:
        stream: Any = await client.chat.completions.create(**say(f"Go on {number}", temperature=1.0), stream=True)
        async for _ in stream:
            await stream.close()
            return 1
        return 0

    async def everybody() -> list[Any]:
        async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:
            stays = [streamed(client, **say(f"Stay {i}", max_tokens=8)) for i in range(STREAMS)]
            leaves = [leave(client, i) for i in range(STREAMS)]
            cancelled = asyncio.ensure_future(streamed(client, **say("Cancelled", temperature=1.0)))
            asyncio.get_running_loop().call_later(0.05, cancelled.cancel)
            return await asyncio.gather(*stays, *leaves, cancelled, return_exceptions=True)

    found = asyncio.run(everybody())
    assert all(isinstance(one, str) for one in found[:STREAMS])
    assert found[STREAMS : 2 * STREAMS] == [1] * STREAMS
    assert isinstance(found[-1], asyncio.CancelledError | str)

    async def after() -> str:  # the service answers as before: nothing of those who left is in its way
        async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:
            return await streamed(client, **say("Stay 0", max_tokens=8))

    assert asyncio.run(after()) == found[0]


SCHEMA = {
    "type": "object",
    "properties": {"answer": {"enum": ["yes", "no"]}, "sure": {"type": "boolean"}},
    "required": ["answer", "sure"],
    "additionalProperties": False,
}


@pytest.mark.enable_socket
@pytest.mark.parametrize("stream", [False, True])
def test_json_of_a_schema(server: Server, stream: bool) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "verdict", "strict": True, "schema": SCHEMA}}

    async def ask() -> str:
        async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:
            asked = say("Is it raining?", response_format=form, temperature=1.0, seed=3, max_tokens=90)
            if stream:
                return await streamed(client, **asked)
            answer: Any = await client.chat.completions.create(**asked)
            return str(answer.choices[0].message.content)

    found = json.loads(asyncio.run(ask()))
    assert found["answer"] in ("yes", "no")
    assert found["sure"] in (True, False)


@pytest.mark.enable_socket
def test_choices_seeds_stops_and_probabilities(client: OpenAI) -> None:
    answer: Any = client.chat.completions.create(
        **say("Hello", n=3, seed=5, temperature=1.0, max_tokens=6, logprobs=True, top_logprobs=2)
    )
    assert [c.index for c in answer.choices] == [0, 1, 2]
    assert len({c.message.content for c in answer.choices}) > 1
    for choice in answer.choices:
        tokens = choice.logprobs.content
        assert 0 < len(tokens) <= 6
        assert all(len(t.top_logprobs) == 2 and t.logprob <= t.top_logprobs[0].logprob <= 0 for t in tokens)
        assert b"".join(bytes(t.bytes) for t in tokens).decode(errors="replace").startswith(choice.message.content[:3])
    second: Any = client.chat.completions.create(**say("Hello", seed=6, temperature=1.0, max_tokens=6))
    assert second.choices[0].message.content == answer.choices[1].message.content  # the next seed
    whole: Any = client.chat.completions.create(**say("Hello", max_tokens=24))
    text = whole.choices[0].message.content
    stop = text[3:6]
    cut: Any = client.chat.completions.create(**say("Hello", max_tokens=24, stop=[stop, "never"]))
    assert cut.choices[0].message.content == text[: text.index(stop)]
    assert cut.choices[0].finish_reason == "stop"


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"extra_body": {"mirostat": 2}}, "invalid_input"),
        ({"temperature": 3}, "invalid_input"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"enum": []}}}},
            "constraint",
        ),
        ({"extra_body": {"guided_regex": "(", "seed": 1}}, "constraint"),
        ({"extra_body": {"guided_regex": "a", "guided_choice": ["a"]}}, "invalid_input"),
        ({"messages": [{"role": "wizard", "content": "a"}]}, "invalid_input"),
        ({"messages": []}, "invalid_input"),
    ],
)
def test_bad_input(client: OpenAI, more: dict[str, Any], code: str) -> None:
    for stream in (False, True):
        with pytest.raises(BadRequestError) as raised:
            client.chat.completions.create(**{**say("canary"), **more}, stream=stream)
        body: Any = raised.value.body
        assert body["code"].startswith(code)
        assert body["hint"]
        assert "canary" not in str(body)


@pytest.mark.enable_socket
def test_a_prompt_over_the_context(client: OpenAI) -> None:
    import openai

    with pytest.raises(openai.APIStatusError) as raised:
        client.chat.completions.create(**say("word " * 200))
    body: Any = raised.value.body
    assert (raised.value.status_code, body["code"]) == (413, "input_too_long")
