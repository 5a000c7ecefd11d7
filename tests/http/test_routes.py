"""What every route answers when it is asked properly."""

import base64
import json
import struct
from pathlib import Path

import numpy as np
import pytest

from cloister.runtime import load
from cloister.runtime.results import to_json
from tests.support.service import Client, Serve

TEXTS = ["A first text.", "and a second, which is a little longer", "三"]


def test_embeddings_are_those_of_the_engine(client: Client, bundles: dict[str, Path]) -> None:
    expected = [to_json(p)["embedding"] for p in load(bundles["vectors"]).predict(TEXTS)]
    answer = client.post("/v1/embeddings", {"model": "vectors", "input": TEXTS}).json()
    assert [item["embedding"] for item in answer["data"]] == expected
    assert [item["index"] for item in answer["data"]] == [0, 1, 2]
    assert answer["object"] == "list"
    assert answer["usage"]["prompt_tokens"] > 6
    assert answer["redacted"] == {}


def test_embeddings_in_base64(client: Client) -> None:
    numbers = client.post("/v1/embeddings", {"model": "vectors", "input": "a"}).json()["data"][0]["embedding"]
    body = {"model": "vectors", "input": "a", "encoding_format": "base64", "user": "me", "dimensions": len(numbers)}
    packed = client.post("/v1/embeddings", body).json()["data"][0]["embedding"]
    assert np.frombuffer(base64.b64decode(packed), "<f4").tolist() == numbers


def test_classes_tags_and_answers_are_those_of_the_engine(client: Client, bundles: dict[str, Path]) -> None:
    expected = [to_json(p) for p in load(bundles["classes"]).predict(TEXTS)]
    got = client.post("/v1/classify", {"model": "classes", "input": TEXTS}).json()["data"]
    assert [{k: v for k, v in item.items() if k != "index"} for item in got] == expected
    expected = [to_json(p) for p in load(bundles["names"]).predict(TEXTS)]
    got = client.post("/v1/tag", {"model": "names", "input": TEXTS}).json()["data"]
    assert [{k: v for k, v in item.items() if k != "index"} for item in got] == expected
    expected = [to_json(p) for p in load(bundles["reader"]).predict([("who?", TEXTS[1])])]
    body = {"model": "reader", "question": "who?", "context": TEXTS[1]}
    got = client.post("/v1/answer", body).json()["data"]
    assert [{k: v for k, v in item.items() if k != "index"} for item in got] == expected


def test_pairs_are_classified_as_pairs(client: Client, bundles: dict[str, Path]) -> None:
    expected = to_json(load(bundles["classes"]).predict([("one", "two")])[0])
    got = client.post("/v1/classify", {"model": "classes", "input": [["one", "two"]]}).json()["data"]
    assert len(got) == 1
    assert got[0]["scores"] == expected["scores"]


def test_reranking_by_embeddings(client: Client) -> None:
    body = {"model": "vectors", "query": TEXTS[0], "documents": [TEXTS[1], TEXTS[0], TEXTS[2]], "top_n": 2}
    got = client.post("/v1/rerank", body).json()["data"]
    assert got[0]["index"] == 1
    assert got[0]["score"] == pytest.approx(1.0, abs=1e-5)
    assert len(got) == 2
    assert got[0]["score"] >= got[1]["score"]


def test_a_classifier_does_not_rank(client: Client) -> None:
    response = client.post("/v1/rerank", {"model": "classes", "query": "a", "documents": ["b"]})
    assert response.status_code == 422


def test_redaction_happens_before_the_model(client: Client, bundles: dict[str, Path]) -> None:
    engine = load(bundles["vectors"])
    redacted = to_json(engine.predict(["mail <EMAIL_ADDRESS_1> now"])[0])["embedding"]
    answer = client.post("/v1/embeddings", {"model": "vectors", "input": "mail ada@example.org now"}).json()
    assert answer["data"][0]["embedding"] == redacted
    assert answer["redacted"] == {"EMAIL_ADDRESS": 1}


def test_tags_and_answers_refer_to_the_original(client: Client) -> None:
    text = "Write to ada@example.org or call 415-555-0132, then go to Paris."
    for entity in client.post("/v1/tag", {"model": "names", "input": text}).json()["data"][0]["entities"]:
        assert entity["text"] == text[entity["start"] : entity["end"]]
    body = {"model": "reader", "question": "where?", "context": text}
    found = client.post("/v1/answer", body).json()["data"][0]
    assert found["answer"] == text[found["start"] : found["end"]]


def test_redact_shows_what_was_replaced(client: Client) -> None:
    text = "Card 4111 1111 1111 1111 of ada@example.org"
    answer = client.post("/v1/redact", {"input": [text, "nothing"]}).json()
    first, second = answer["data"]
    assert second == {"index": 1, "text": "nothing", "spans": []}
    assert {text[s["start"] : s["end"]] for s in first["spans"]} == {"4111 1111 1111 1111", "ada@example.org"}
    assert answer["redacted"] == {"CREDIT_CARD": 1, "EMAIL_ADDRESS": 1}


def test_redact_is_refused_where_redaction_is_off(serve: Serve) -> None:
    response = serve("vectors", policy="off").post("/v1/redact", {"input": "a"})
    assert (response.status_code, response.json()["error"]["code"]) == (422, "redaction_off")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "hi"}], "temperature": 0.5}),
        ("/v1/completions", {"prompt": "hi"}),
        ("/v1/translate", {"input": "hi", "target": "de"}),
    ],
)
def test_encoders_do_not_generate(client: Client, path: str, body: dict[str, object]) -> None:
    response = client.post(path, {"model": "vectors", **body})
    assert (response.status_code, response.json()["error"]["code"]) == (422, "unsupported_task")
    assert client.post(path, {"model": "nobody", **body}).status_code == 404


def test_models_are_listed(client: Client) -> None:
    cards = {card["id"]: card for card in client.get("/v1/models").json()["data"]}
    assert {name: card["task"] for name, card in cards.items()}["reader"] == "question-answering"
    assert cards["classes"]["labels"] == ["negative", "neutral", "positive"]
    assert all(len(card["digest"]) == 64 for card in cards.values())


def test_open_inference_as_json(client: Client) -> None:
    metadata = client.get("/v2/models/classes").json()
    assert [t["name"] for t in metadata["outputs"]] == ["label", "score", "scores"]
    assert client.get("/v2").json()["name"] == "cloister"
    assert client.get("/v2/health/ready").json() == {"ready": True}
    assert client.get("/v2/models/classes/ready").status_code == 200
    assert client.get("/v2/models/classes/versions/1/ready").status_code == 200
    assert client.get("/v2/models/classes/versions/9").status_code == 404
    inputs = [{"name": "text", "shape": [2], "datatype": "BYTES", "data": TEXTS[:2]}]
    answer = client.post("/v2/models/classes/infer", {"id": "7", "inputs": inputs}).json()
    expected = client.post("/v1/classify", {"model": "classes", "input": TEXTS[:2]}).json()["data"]
    tensors = {t["name"]: t for t in answer["outputs"]}
    assert answer["id"] == "7"
    assert tensors["label"]["data"] == [e["label"] for e in expected]
    assert tensors["scores"]["shape"] == [2, 3]
    assert tensors["scores"]["data"] == [s for e in expected for s in e["scores"].values()]


def test_open_inference_with_binary_tensors(client: Client) -> None:
    encoded = [t.encode() for t in TEXTS]
    blob = b"".join(struct.pack("<I", len(t)) + t for t in encoded)
    head = json.dumps(
        {
            "inputs": [
                {"name": "text", "shape": [3, 1], "datatype": "BYTES", "parameters": {"binary_data_size": len(blob)}}
            ],
            "outputs": [{"name": "embedding", "parameters": {"binary_data": True}}],
        }
    ).encode()
    headers = {"inference-header-content-length": str(len(head)), "content-type": "application/octet-stream"}
    response = client.request("POST", "/v2/models/vectors/infer", content=head + blob, headers=headers)
    size = int(response.headers["inference-header-content-length"])
    described = json.loads(response.content[:size])["outputs"][0]
    values = np.frombuffer(response.content[size:], "<f4").reshape(described["shape"])
    expected = client.post("/v1/embeddings", {"model": "vectors", "input": TEXTS}).json()["data"]
    assert values.tolist() == [e["embedding"] for e in expected]


def test_health_metrics_and_documents(client: Client) -> None:
    assert client.get("/health/live").json() == {"status": "live"}
    assert client.get("/health/ready").json() == {"status": "ready"}
    assert "cloister_requests_total" in client.get("/metrics").text
    page = client.get("/docs")
    assert "/v1/embeddings" in page.text
    assert "<script" not in page.text
    assert "http://" not in page.text.replace("http://localhost", "")
    paths = client.get("/openapi.json").json()["paths"]
    assert "/v2/models/{model}/infer" in paths


def test_every_answer_carries_a_request_id(client: Client) -> None:
    assert client.get("/v1/models", headers={"x-request-id": "mine-1"}).headers["x-request-id"] == "mine-1"
    assert len(client.get("/nowhere", headers={"x-request-id": "not valid!"}).headers["x-request-id"]) == 16
