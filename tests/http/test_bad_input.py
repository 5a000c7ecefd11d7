"""What is refused, with which status, and that nothing of it comes back or into a log."""

import logging
from typing import Any

import pytest

from tests.support.service import Client, Serve

CANARY = "zyxcanary77"
LONG = "word " * 3000


def embed(**more: Any) -> dict[str, Any]:
    return {"model": "vectors", "input": "a", **more}


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/v1/embeddings", embed(model="nobody"), 404, "unknown_model"),
        ("/v1/embeddings", embed(input=[]), 400, "invalid_input"),
        ("/v1/embeddings", embed(input=[[1, 2, 3]]), 400, "token_ids"),
        ("/v1/embeddings", embed(input=[1, 2, 3]), 400, "token_ids"),
        ("/v1/embeddings", embed(input=["a"] * 10_000), 413, "request_too_large"),
        ("/v1/embeddings", embed(input=LONG), 413, "input_too_long"),
        ("/v1/embeddings", embed(input=7), 400, "invalid_input"),
        ("/v1/embeddings", embed(zyxcanary77=1), 400, "invalid_input"),
        ("/v1/embeddings", embed(encoding_format=CANARY), 400, "invalid_input"),
        ("/v1/embeddings", embed(dimensions=7), 422, "unsupported"),
        ("/v1/embeddings", {"input": "a"}, 400, "invalid_input"),
        ("/v1/embeddings", [], 400, "invalid_input"),
        ("/v1/classify", {"model": "classes", "input": ["a", ["b"]]}, 400, "invalid_input"),
        ("/v1/classify", {"model": "classes", "input": "a", "labels": ["x"]}, 422, "unsupported"),
        ("/v1/classify", {"model": "vectors", "input": "a"}, 422, "unsupported_task"),
        ("/v1/tag", {"model": "names", "input": [["a", "b", "c"]]}, 400, "invalid_input"),
        ("/v1/classify", {"model": "topics", "input": "a"}, 400, "invalid_input"),
        ("/v1/classify", {"model": "topics", "input": "a", "labels": []}, 400, "invalid_input"),
        ("/v1/classify", {"model": "topics", "input": "a", "labels": [CANARY, CANARY]}, 400, "invalid_input"),
        ("/v1/classify", {"model": "topics", "input": "a", "labels": [CANARY, " "]}, 400, "invalid_input"),
        (
            "/v1/classify",
            {"model": "topics", "input": "a", "labels": [*map(str, range(257))]},
            400,
            "invalid_input",
        ),
        ("/v1/classify", {"model": "topics", "input": [["a", "b"]], "labels": ["c"]}, 400, "invalid_input"),
        ("/v1/classify", {"model": "words", "input": "a"}, 422, "unsupported_task"),
        (
            "/v1/classify",
            {"model": "topics", "input": ["a"] * 200, "labels": [str(i) for i in range(200)]},
            413,
            "request_too_large",
        ),
        ("/v1/answer", {"model": "reader", "question": LONG, "context": "a"}, 413, "input_too_long"),
        ("/v1/rerank", {"model": "vectors", "query": "a", "documents": []}, 400, "invalid_input"),
        ("/v1/redact", {"input": "a", "language": CANARY}, 400, "invalid_input"),
        ("/v2/models/nobody/infer", {"inputs": []}, 404, "unknown_model"),
        ("/v2/models/vectors/infer", {"inputs": []}, 400, "invalid_input"),
    ],
)
def test_bad_bodies(client: Client, path: str, body: object, status: int, code: str) -> None:
    response = client.post(path, body)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert set(response.json()["error"]) == {"code", "message", "hint"}
    assert CANARY not in response.text


@pytest.mark.parametrize(
    "tensor",
    [
        {"name": "other", "shape": [1], "datatype": "BYTES", "data": ["a"]},
        {"name": "text", "shape": [2], "datatype": "BYTES", "data": ["a"]},
        {"name": "text", "shape": [1], "datatype": "INT64", "data": [1]},
        {"name": "text", "shape": [1], "datatype": "BYTES", "data": [1]},
        {"name": "text", "shape": [1], "datatype": "BYTES"},
        {"name": "text", "shape": [0], "datatype": "BYTES", "data": []},
        {"name": "text", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": 4}},
        {"name": "text_pair", "shape": [1], "datatype": "BYTES", "data": ["a"]},
    ],
)
def test_bad_tensors(client: Client, tensor: dict[str, Any]) -> None:
    assert client.post("/v2/models/vectors/infer", {"inputs": [tensor]}).status_code == 400


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"nonsense",
        b'{"model":"vectors","input":"\xff\xfe"}',
        b'{"model":"vectors","input":"\\ud800"}',
        b"[" * 200_000,
        b'{"model":"vectors","input":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"model":"vectors","input":"a"} trailing',
        b'\xef\xbb\xbf{"model":"vectors","input":"a"}',
        b'{"model":"vectors","input":NaN}',
    ],
)
def test_bodies_that_are_not_json(client: Client, content: bytes) -> None:
    headers = {"content-type": "application/json"}
    response = client.request("POST", "/v1/embeddings", content=content, headers=headers)
    assert response.status_code == 400
    assert response.json()["error"]["hint"]


def test_media_type_method_route_and_size(client: Client, serve: Serve) -> None:
    for kind in ("text/plain", "", "application/x-www-form-urlencoded"):
        response = client.request("POST", "/v1/embeddings", content=b"{}", headers={"content-type": kind})
        assert response.status_code == 415
    response = client.get("/v1/embeddings")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert client.request("DELETE", "/health/live").status_code == 405
    assert client.get("/v1/nothing").status_code == 404
    small = serve("vectors", max_body=100)
    assert small.post("/v1/embeddings", embed(input="a" * 200)).status_code == 413


def test_host_header_and_deadline_header(client: Client) -> None:
    response = client.get("/v1/models", headers={"host": "evil.example"})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "wrong_host")
    assert client.get("/v1/models", headers={"host": "127.0.0.1:8000"}).status_code == 200
    for bad in ("soon", "0", "-5", "1e3"):
        assert client.get("/v1/models", headers={"x-request-timeout-ms": bad}).status_code == 400


def test_keys(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOISTER_API_KEY", "a-key-that-is-long-enough")
    client = serve("vectors")
    assert client.get("/v1/models").status_code == 401
    assert client.get("/v1/models").headers["www-authenticate"] == "Bearer"
    assert client.get("/v1/models", headers={"authorization": "Bearer wrong"}).status_code == 401
    assert client.get("/v1/models", headers={"authorization": "Bearer a-key-that-is-long-enough"}).status_code == 200
    assert client.get("/health/ready").status_code == 200
    for path in ("load", "unload"):
        response = client.post(
            f"/v2/repository/models/vectors/{path}", {}, headers={"authorization": "Bearer a-key-that-is-long-enough"}
        )
        assert (response.status_code, response.json()["error"]["code"]) == (401, "admin_disabled")


def test_rate_and_concurrency_limits(serve: Serve) -> None:
    client = serve("vectors", client_rate=1.0)
    statuses = [client.get("/v1/models").status_code for _ in range(6)]
    assert statuses[:3] == [200, 200, 200]
    assert statuses[-1] == 429
    response = client.get("/v1/models")
    assert int(response.headers["retry-after"]) >= 1
    assert response.json()["error"]["code"] == "client_rate"


def test_draining_refuses_new_work(serve: Serve) -> None:
    client = serve("vectors")
    client.application.state.draining = True
    response = client.post("/v1/embeddings", embed())
    assert (response.status_code, response.headers["connection"]) == (503, "close")
    assert client.get("/health/ready").status_code == 503
    assert client.get("/health/live").status_code == 200


def test_nothing_of_a_text_reaches_log_metric_or_error(
    serve: Serve, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """A canary in every text-bearing field of every route, in requests that succeed and in requests that fail."""
    client = serve(log_level="debug")
    secret = f"{CANARY} 4111 1111 1111 1111"
    bodies: list[tuple[str, Any]] = [
        ("/v1/embeddings", embed(input=secret)),
        ("/v1/embeddings", embed(input=[secret, secret * 900])),
        ("/v1/embeddings", {secret: secret}),
        ("/v1/classify", {"model": "classes", "input": [[secret, secret]]}),
        ("/v1/classify", {"model": secret, "input": secret}),
        ("/v1/classify", {"model": "classes", "input": "a", "labels": [secret]}),
        ("/v1/classify", {"model": "topics", "input": secret, "labels": [secret, "b"]}),
        ("/v1/classify", {"model": "topics", "input": secret, "labels": [secret, secret]}),
        ("/v1/tag", {"model": "names", "input": secret}),
        ("/v1/rerank", {"model": "vectors", "query": secret, "documents": [secret]}),
        ("/v1/answer", {"model": "reader", "question": secret, "context": secret}),
        ("/v1/redact", {"input": secret, "language": secret}),
        ("/v1/redact", {"input": secret}),
        ("/v1/chat/completions", {"model": "vectors", "messages": [{"role": "user", "content": secret}]}),
        ("/v1/completions", {"model": "vectors", "prompt": secret}),
        ("/v1/translate", {"model": "vectors", "input": secret}),
        (
            "/v2/models/vectors/infer",
            {"id": secret, "inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": [secret]}]},
        ),
        ("/v2/models/vectors/infer", {"inputs": [{"name": secret, "shape": [1], "datatype": secret}]}),
        (f"/v2/repository/models/{CANARY}/load", {"parameters": {"a": secret}}),
    ]
    errors = []
    with caplog.at_level(logging.DEBUG):
        for path, body in bodies:
            response = client.post(path, body, headers={"x-request-id": "canary"})
            if response.status_code != 200:
                errors.append(response.text)
    assert not any(CANARY in text or "4111" in text for text in errors)
    assert CANARY not in client.get("/metrics").text
    printed = capfd.readouterr()
    ours = [record for record in caplog.records if not record.name.startswith("httpx")]  # the test's own client
    assert len(ours) >= len(bodies)
    assert CANARY not in printed.out + printed.err + "".join(record.getMessage() + str(vars(record)) for record in ours)


def test_only_the_guard_sees_a_text_as_it_came(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    from cloister.runtime import tasks

    seen: list[str] = []
    original = tasks.prepare

    def prepare(manifest: Any, tokenizer: Any, texts: Any, wanted: Any) -> Any:
        seen.extend(part for text in texts for part in ([text] if isinstance(text, str) else text))
        seen.extend((wanted.labels or {}).values())
        return original(manifest, tokenizer, texts, wanted)

    monkeypatch.setattr("cloister.runtime.engine.prepare", prepare)
    client = serve()
    card = "4111 1111 1111 1111"
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": [card]}
    pair = {"name": "text_pair", "shape": [1], "datatype": "BYTES", "data": [card]}
    for path, body in (
        ("/v1/embeddings", embed(input=card)),
        ("/v1/classify", {"model": "classes", "input": [card, [card, card]]}),
        ("/v1/tag", {"model": "names", "input": card}),
        ("/v1/rerank", {"model": "vectors", "query": card, "documents": [card]}),
        ("/v1/answer", {"model": "reader", "question": card, "context": card}),
        ("/v2/models/classes/infer", {"inputs": [tensor, pair]}),
        ("/v1/classify", {"model": "topics", "input": card, "labels": [card]}),
        ("/v2/models/words/infer", {"inputs": [{**tensor, "data": [f"{card} [MASK]"]}]}),
    ):
        assert client.post(path, body).status_code == 200
    assert len(seen) == 14
    assert not any("4111" in text for text in seen)
