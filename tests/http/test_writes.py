"""Chat, completion and translation: shapes, privacy, audit and clients that leave, around an engine with a script."""

import asyncio
import json
import random
import re
import threading
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st

from cloister import Overloaded
from cloister.privacy import Redactor
from cloister.privacy.audit.reader import LogReader, parsed
from cloister.runtime.http.application import build
from cloister.runtime.records import AuditRecords
from cloister.runtime.settings import Settings
from tests.support.scripted import ScriptedEngine, install
from tests.support.service import Client, Serve

PHONE, MAIL, OTHER = "415-555-0132", "ada@example.org", "212-555-0199"
MARK = re.compile(r"<[A-Z_]+_[0-9a-f]{16}>")


def echo(prompt: str) -> Sequence[str]:
    """The last line back, three characters at a time."""
    text = prompt.rpartition("\n")[2].removeprefix("user: ")
    return [text[i : i + 3] for i in range(0, len(text), 3)]


def ask(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "chat", "messages": [{"role": "user", "content": text}], **more}


def events(text: str) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in text.split("\n\n") if line]
    assert lines[-1] == "[DONE]" or "error" in lines[-1]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def joined(chunks: list[Any]) -> str:
    return "".join(c["choices"][0]["delta"].get("content", "") for c in chunks if c.get("choices"))


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Makes clients of services without a bundle: the engine of these tests has a script instead."""
    made: list[Client] = []

    def make(**more: Any) -> Client:
        made.append(Client(build(Settings(models=str(tmp_path), **more))))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine(echo)


@pytest.fixture
def chat(serve: Serve, engine: ScriptedEngine, tmp_path: Path) -> Client:
    client = serve(audit=str(tmp_path / "log"))
    install(client.application, "chat", engine)
    return client


def test_a_chat_is_redacted_and_restored(chat: Client, engine: ScriptedEngine) -> None:
    body = chat.post("/v1/chat/completions", ask(f"Call {PHONE} or {MAIL}, {PHONE}")).json()
    assert body["choices"][0]["message"] == {
        "role": "assistant",
        "content": f"Call {PHONE} or {MAIL}, {PHONE}",
        "refusal": None,
    }
    assert body["choices"][0]["finish_reason"] == "stop"
    assert body["system_fingerprint"] == "fp_dddddddddddd_int4"
    assert body["usage"]["prompt_tokens_details"] == {"cached_tokens": 1}
    assert PHONE not in engine.seen[0]
    assert len(MARK.findall(engine.seen[0])) == 3
    assert len(set(MARK.findall(engine.seen[0]))) == 2
    assert not engine.open


def test_streams_have_openais_shape(chat: Client, engine: ScriptedEngine) -> None:
    more = {"stream": True, "stream_options": {"include_usage": True}}
    response = chat.post("/v1/chat/completions", ask(f"Call {PHONE} now", **more))
    assert response.headers["content-type"].startswith("text/event-stream")
    chunks = events(response.text)
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert joined(chunks) == f"Call {PHONE} now"
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert (chunks[-1]["choices"], chunks[-1]["usage"]["completion_tokens"] > 3) == ([], True)
    assert len({chunk["id"] for chunk in chunks}) == 1


def test_one_vault_and_every_field_that_reaches_the_model(chat: Client, engine: ScriptedEngine) -> None:
    messages = [
        {"role": "system", "content": f"Help {MAIL}"},
        {"role": "user", "content": [{"type": "text", "text": f"I am {MAIL}"}]},
    ]
    body = {"model": "chat", "messages": messages, "stop": [f"bye {MAIL}"], "guided_choice": [MAIL, "no"]}
    assert chat.post("/v1/chat/completions", body).status_code == 200
    options = engine.options[0]
    assert options.constraint is not None
    everything = " ".join([engine.seen[0], *options.stop, *(options.constraint.choices or ())])
    assert MAIL not in everything
    assert len(set(MARK.findall(everything))) == 1
    schema = {"type": "object", "properties": {"to": {"enum": [MAIL]}}, "required": ["to"]}
    engine.script = lambda prompt: ['{"to": "', *echo(prompt), '"}']
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    answer = chat.post("/v1/chat/completions", ask(MAIL, response_format=form)).json()
    assert json.loads(answer["choices"][0]["message"]["content"]) == {"to": MAIL}
    assert MAIL not in str(engine.options[-1].constraint and engine.options[-1].constraint.json_schema)
    refused = chat.post("/v1/chat/completions", ask("a", guided_regex=MAIL))
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "pattern_redacted")


def test_what_the_model_makes_up_is_masked_and_its_tokens_are_left_out(chat: Client, engine: ScriptedEngine) -> None:
    engine.script = lambda prompt: ["Call ", "212-", "555-", "0199", " or ", MARK.findall(prompt)[0], "."]
    body = chat.post("/v1/chat/completions", ask(f"I am at {PHONE}", logprobs=True)).json()
    choice = body["choices"][0]
    assert choice["message"]["content"] == f"Call <PHONE_NUMBER> or {PHONE}."
    tokens = "".join(token["token"] for token in choice["logprobs"]["content"])
    assert "555" not in tokens
    assert MARK.search(tokens)


@pytest.mark.parametrize(("action", "reason"), [("pass", "stop"), ("mask", "stop"), ("stop", "content_filter")])
def test_the_policy_says_what_becomes_of_it(serve: Serve, tmp_path: Path, action: str, reason: str) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(f'output = "{action}"\n[category]\ncontact = "replace"\n')
    client = serve(policy=str(policy), audit=str(tmp_path / "log"))
    engine = ScriptedEngine(lambda prompt: [*f"Call {OTHER} now. ", *("word " * 60)])
    install(client.application, "chat", engine)
    choice = client.post("/v1/chat/completions", ask("hi")).json()["choices"][0]
    assert choice["finish_reason"] == reason
    assert (OTHER in choice["message"]["content"]) == (action == "pass")
    assert not engine.open
    last = records(tmp_path / "log")[-1]["unmapped"]
    assert last["found"] == {"PHONE_NUMBER": 1}
    assert last["finish"] == reason


def records(folder: Path) -> list[Any]:
    return [e for _, e in parsed(LogReader(folder)) if e["class_uid"] == 6003 and e["activity_name"] == "Infer"]


def test_two_records_before_and_after(chat: Client, engine: ScriptedEngine, tmp_path: Path) -> None:
    for stream in (False, True):
        chat.post("/v1/chat/completions", ask(f"Call {PHONE}", stream=stream))
    engine.script = lambda prompt: ["some ", "FAIL"]
    assert chat.post("/v1/chat/completions", ask("a")).status_code == 500
    chunks = events(chat.post("/v1/chat/completions", ask("a", stream=True)).text)
    assert chunks[-1]["error"]["code"] == "internal_error"
    found = records(tmp_path / "log")
    assert [r["unmapped"].get("phase", "finished") for r in found] == ["accepted", "finished"] * 4
    assert found[1]["unmapped"]["output_tokens"] == found[3]["unmapped"]["output_tokens"] > 0
    assert [r["unmapped"]["decision"] for r in found[5::2]] == ["failed", "failed"]
    assert not engine.open


def test_without_the_first_record_nothing_is_generated(chat: Client, engine: ScriptedEngine) -> None:
    audit = chat.application.service.audit
    assert isinstance(audit, AuditRecords)

    def refuse(records: object) -> None:
        raise OSError(28, "No space left on device")

    commit = audit.log._store.commit
    audit.log._store.commit = refuse  # type: ignore[method-assign]
    for stream in (False, True):
        response = chat.post("/v1/chat/completions", ask("a", stream=stream))
        assert (response.status_code, response.json()["error"]["code"]) == (503, "audit_failed")
    assert engine.seen == []
    audit.log._store.commit = commit  # type: ignore[method-assign]
    for _ in range(200):
        if chat.post("/v1/chat/completions", ask("a")).status_code == 200:
            break
        threading.Event().wait(0.05)
    assert len(engine.seen) == 1


@pytest.mark.parametrize(
    "more",
    [
        {"tools": []},
        {"store": True},
        {"logit_bias": {}},
        {"top_logprobs": 3},
        {"temperature": 3},
        {"stream_options": {}},
        {"n": 0},
        {"guided_regex": "a", "guided_choice": ["a"]},
        {"response_format": {"type": "json_schema"}},
        {"messages": [{"role": "tool", "content": "a"}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
    ],
)
def test_what_is_not_supported_is_refused(chat: Client, engine: ScriptedEngine, more: dict[str, Any]) -> None:
    response = chat.post("/v1/chat/completions", ask("a") | more)
    assert response.status_code == 400
    assert engine.seen == []


def test_completions_choices_translations_and_other_routes(chat: Client, engine: ScriptedEngine) -> None:
    body = {"model": "chat", "prompt": [f"Mail {MAIL}", "two"], "n": 2, "seed": 7, "logprobs": 0}
    answer = chat.post("/v1/completions", body).json()
    assert [c["text"] for c in answer["choices"]] == [f"Mail {MAIL}"] * 2 + ["two"] * 2
    assert sorted(o.seed or 0 for o in engine.options) == [7, 7, 8, 8]  # they start side by side
    assert answer["usage"]["prompt_tokens"] == 3
    install(chat.application, "de", ScriptedEngine(echo, "translation"))
    answer = chat.post("/v1/translate", {"model": "de", "input": [f"to {MAIL}", "b"], "target": "de"}).json()
    assert [d["text"] for d in answer["data"]] == [f"to {MAIL}", "b"]
    assert chat.post("/v1/translate", {"model": "chat", "input": "a"}).status_code == 422
    assert chat.post("/v1/embeddings", {"model": "chat", "input": "a"}).status_code == 422
    assert chat.get("/v2/models/chat").status_code == 422
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a"]}
    assert chat.post("/v2/models/chat/infer", {"inputs": [tensor]}).status_code == 422
    assert {m["id"]: m["task"] for m in chat.get("/v1/models").json()["data"]}["chat"] == "text-generation"
    assert 'cloister_first_piece_seconds_count{model="chat"}' in chat.get("/metrics").text
    assert chat.get("/health/ready").status_code == 200


def test_choices_are_written_side_by_side_and_each_is_whole(chat: Client, engine: ScriptedEngine) -> None:
    most = 0
    before = engine.generate

    def counted(prompt: Any, options: Any) -> Any:
        nonlocal most
        made = before(prompt, options)
        most = max(most, len(engine.open))
        return made

    engine.generate = counted  # type: ignore[method-assign]
    text = f"Call {PHONE} or write to {MAIL}."
    whole = chat.post("/v1/chat/completions", ask(text, n=20, seed=5)).json()
    assert [choice["index"] for choice in whole["choices"]] == list(range(20))
    assert {choice["message"]["content"] for choice in whole["choices"]} == {text}
    assert sorted(o.seed for o in engine.options if o.seed is not None) == list(range(5, 25))
    assert 1 < most <= 8
    assert engine.open == set()
    found = events(chat.post("/v1/chat/completions", ask(text, n=3, stream=True)).text)
    for index in range(3):
        own = [c for c in found if c["choices"][0]["index"] == index]
        assert own[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
        assert joined(own) == text
        assert [c["choices"][0]["finish_reason"] for c in own][-1] == "stop"


def test_one_choice_that_fails_ends_all(chat: Client, engine: ScriptedEngine) -> None:
    numbers = count()
    engine.script = lambda prompt: ["a ", "b ", "FAIL"] if next(numbers) == 2 else ["word "] * 1000
    assert chat.post("/v1/chat/completions", ask("hello", n=4)).status_code == 500
    assert len(engine.seen) == 4
    assert engine.open == set()


def test_retry_after_counts_what_is_being_written(chat: Client, engine: ScriptedEngine) -> None:
    engine.backlog = 12.3

    def full(prompt: Any, options: Any) -> Any:
        raise Overloaded("too many generations wait", hint="try again later")

    engine.generate = full  # type: ignore[method-assign]
    answer = chat.post("/v1/chat/completions", ask("hello"))
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "13")


def test_clients_have_salts_of_their_own(chat: Client, engine: ScriptedEngine) -> None:
    chat.post("/v1/chat/completions", ask("hello"))
    chat.post("/v1/chat/completions", ask("hello", cache_salt="mine"))
    assert [o.cache_salt for o in engine.options] == ["10.0.0.1\0", "10.0.0.1\0mine"]


def test_deadlines(chat: Client, engine: ScriptedEngine) -> None:
    engine.never = True
    for stream in (False, True):
        response = chat.post("/v1/chat/completions", ask("a", stream=stream), headers={"x-request-timeout-ms": "50"})
        assert response.status_code == 504
    assert not engine.open


def test_no_planted_value_reaches_the_engine(chat: Client, engine: ScriptedEngine) -> None:
    chance = random.Random(7)
    for number in range(200):
        values = [f"415-555-{chance.randrange(10000):04d}", f"u{number}@example.org", "4111 1111 1111 1111"]
        text = f"I am {values[0]}, mail {values[1]}, card {values[2]}. <PHONE_NUMBER_{'0' * 16}>"
        answer = chat.post("/v1/chat/completions", ask(text)).json()
        assert answer["choices"][0]["message"]["content"] == text
        assert not any(value in engine.seen[-1] for value in values)


REDACTOR = Redactor("identifiers")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=40), st.booleans())
def test_cuts_change_nothing(lengths: list[int], made_up: bool) -> None:
    conversation = REDACTOR.redact_together([f"I am {PHONE} and {MAIL}"])
    marks = MARK.findall(conversation.texts[0])
    text = f"{marks[0]}{marks[1]} < <P {marks[0][:-1]} {OTHER if made_up else 'x'} " + "word " * 30 + marks[1]
    scan, back, out, at = conversation.scan(), conversation.restoring(), "", 0
    while at < len(text):
        length = lengths[at % len(lengths)]
        out += back.feed(scan.feed(text[at : at + length]))
        at += length
    out += back.feed(scan.close()) + back.close()
    expected = text.replace(OTHER, "<PHONE_NUMBER>").replace(marks[0], PHONE).replace(marks[1], MAIL)
    assert out == expected


@pytest.fixture
def url(tmp_path: Path, engine: ScriptedEngine) -> Iterator[str]:
    """The service on a socket."""
    application = build(Settings(models=str(tmp_path)))
    server = uvicorn.Server(uvicorn.Config(application, port=0, lifespan="off", log_config=None))
    install(application, "chat", engine)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        threading.Event().wait(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


@pytest.mark.enable_socket
def test_the_openai_client_works_unchanged(url: str) -> None:
    import openai

    client = openai.OpenAI(base_url=f"{url}/v1", api_key="unused")
    messages: list[Any] = [{"role": "user", "content": f"Call {PHONE}"}]
    answer = client.chat.completions.create(model="chat", messages=messages, logprobs=True, top_logprobs=2)
    assert answer.choices[0].message.content == f"Call {PHONE}"
    assert client.completions.create(model="chat", prompt=f"Mail {MAIL}").choices[0].text == f"Mail {MAIL}"
    chunks = list(client.chat.completions.create(model="chat", messages=messages, stream=True))
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == f"Call {PHONE}"
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="chat", messages=messages, tools=[])


@pytest.mark.enable_socket
def test_the_guides_example_runs(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    guide = (Path(__file__).resolve().parents[2] / "docs" / "chat.md").read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    exec(code.replace("http://127.0.0.1:8000", url), {})  # noqa: S102 - the guide's own code
    assert capsys.readouterr().out == "My number is 415-555-0132. What is my number?"


@pytest.mark.enable_socket
def test_clients_that_leave_stop_the_model(url: str, engine: ScriptedEngine) -> None:
    import httpx

    engine.script = lambda prompt: ["word "] * (40 if "stay" in prompt else 10_000_000)

    async def one(client: httpx.AsyncClient, number: int) -> None:
        body = ask("stay" if number % 2 else "leave", stream=True)
        async with client.stream("POST", "/v1/chat/completions", json=body) as response:
            async for line in response.aiter_lines():
                if number % 2 == 0 and "content" in line:
                    return

    async def everybody() -> None:
        async with httpx.AsyncClient(base_url=url, timeout=30) as client:
            await asyncio.gather(*(one(client, number) for number in range(60)))

    asyncio.run(everybody())
    for _ in range(500):
        if not engine.open:
            break
        threading.Event().wait(0.01)
    assert len(engine.seen) == 60
    assert not engine.open
