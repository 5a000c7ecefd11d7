"""Labels with the request, masks, ranking and similarity over HTTP: what the engine answers, of the original text."""

import json
from pathlib import Path
from typing import Any

import pytest

from cloister.runtime import load
from cloister.runtime.results import to_json
from tests.support.service import Client

CARD = "4111 1111 1111 1111"


def _tensor(name: str, *texts: str) -> dict[str, Any]:
    return {"name": name, "shape": [len(texts)], "datatype": "BYTES", "data": list(texts)}


def _without_index(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in item.items() if k != "index"} for item in items]


def test_labels_come_with_the_request(client: Client, bundles: dict[str, Path]) -> None:
    labels, texts = ["travel", "food"], ["My parcel is late.", "很好吃"]
    expected = [to_json(p) for p in load(bundles["topics"]).predict(texts, labels=labels)]
    answer = client.post("/v1/classify", {"model": "topics", "input": texts, "labels": labels}).json()
    assert _without_index(answer["data"]) == expected
    inputs = [_tensor("text", *texts), _tensor("labels", *labels)]
    tensors = {t["name"]: t for t in client.post("/v2/models/topics/infer", {"inputs": inputs}).json()["outputs"]}
    assert tensors["label"]["data"] == [e["label"] for e in expected]
    assert tensors["scores"]["shape"] == [2, 2]
    assert tensors["scores"]["data"] == [s for e in expected for s in e["scores"].values()]
    metadata = client.get("/v2/models/topics").json()
    assert [t["name"] for t in metadata["inputs"]] == ["text", "labels"]


def test_labels_are_redacted_for_the_model_and_named_as_sent(client: Client, bundles: dict[str, Path]) -> None:
    labels = [f"about {CARD}", "food"]
    answer = client.post("/v1/classify", {"model": "topics", "input": "a text", "labels": labels}).json()
    seen = ["about <CREDIT_CARD_1>", "food"]
    (expected,) = load(bundles["topics"]).predict(["a text"], labels=seen)
    assert list(answer["data"][0]["scores"]) == labels
    assert list(answer["data"][0]["scores"].values()) == list(to_json(expected)["scores"].values())
    assert answer["redacted"] == {"CREDIT_CARD": 1}


def test_masks_over_the_open_inference_protocol(client: Client, bundles: dict[str, Path]) -> None:
    text = f"{CARD} is [MASK] card"
    body = {"inputs": [_tensor("text", text)], "parameters": {"top_k": 2}}
    (output,) = client.post("/v2/models/words/infer", body).json()["outputs"]
    (mask,) = json.loads(output["data"][0])
    assert text[mask["start"] : mask["end"]] == "[MASK]"
    (expected,) = load(bundles["words"]).predict(["<CREDIT_CARD_1> is [MASK] card"], top_k=2)
    assert mask["candidates"] == to_json(expected)["masks"][0]["candidates"]
    for bad in ("two", 0, True, 1.5):
        assert client.post("/v2/models/words/infer", {**body, "parameters": {"top_k": bad}}).status_code == 400
    assert client.post("/v2/models/words/infer", {"inputs": [_tensor("text", "none")]}).status_code == 400


@pytest.mark.parametrize("model", ["ranker", "pairs"])
def test_documents_are_ranked_by_pairs(client: Client, bundles: dict[str, Path], model: str) -> None:
    documents = ["one document", "another", "lost card"]
    scores = [p.score for p in load(bundles[model]).predict([("lost card", d) for d in documents])]  # type: ignore[union-attr]
    answer = client.post("/v1/rerank", {"model": model, "query": "lost card", "documents": documents}).json()["data"]
    assert [item["index"] for item in answer] == sorted(range(3), key=lambda i: -scores[i])
    assert [item["score"] for item in answer] == sorted(scores, reverse=True)
    inputs = [_tensor("text", *["lost card"] * 3), _tensor("text_pair", *documents)]
    (output,) = client.post(f"/v2/models/{model}/infer", {"inputs": inputs}).json()["outputs"]
    assert (output["name"], output["data"]) == ("score", scores)


def test_pairs_are_tagged_in_their_first_text(client: Client, bundles: dict[str, Path]) -> None:
    text = f"Write to ada@example.org about {CARD} in Paris."
    body = {"model": "names", "input": [[text, "write"]]}
    entities = client.post("/v1/tag", body).json()["data"][0]["entities"]
    assert all(e["text"] == text[e["start"] : e["end"]] for e in entities)
    expected = [to_json(p) for p in load(bundles["names"]).predict([("Ada met Grace", "met")])]
    got = client.post("/v1/tag", {"model": "names", "input": [["Ada met Grace", "met"]]}).json()["data"]
    assert _without_index(got) == expected
