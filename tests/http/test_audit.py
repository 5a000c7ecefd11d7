"""The audit log of a service: a record for every request, on disk before its answer, and nothing of its content."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from cloister import AuditError
from cloister.privacy.audit import AuditLog
from cloister.privacy.audit.check import verify
from cloister.privacy.audit.check_notes import read_key
from cloister.privacy.audit.keys import Digests, PeriodKeys, period_of
from cloister.privacy.audit.reader import LogReader, parsed
from cloister.privacy.audit.storage import Disk
from cloister.privacy.keyfiles import write_key_pair
from cloister.privacy.notes import SecretKey
from cloister.runtime.records import AuditRecords
from tests.support.service import Client, Serve, Server

CANARY = "415-555-0132"
TEXT = f"Call Marguerite at {CANARY}"


def events(folder: Path, kind: int = 6003) -> list[tuple[int, dict[str, Any]]]:
    return [(index, event) for index, event in parsed(LogReader(folder)) if event["class_uid"] == kind]


def requests(folder: Path) -> list[tuple[int, dict[str, Any]]]:
    return [(i, e) for i, e in events(folder) if e["activity_name"] == "Infer"]


def counts(folder: Path) -> dict[str, int]:
    return {
        name: count
        for _, event in events(folder)
        if event["activity_name"] == "Summarize"
        for name, count in event["unmapped"]["counts"].items()
    }


def verified(folder: Path) -> bool:
    return verify(folder, [read_key((folder / "audit.pub").read_text())]).ok


def asked(client: Client) -> list[httpx.Response]:
    return [
        client.post("/v1/classify", {"model": "classes", "input": TEXT}),
        client.post("/v1/embeddings", {"model": "vectors", "input": [TEXT, "another"]}),
        client.post("/v1/tag", {"model": "names", "input": TEXT}),
        client.post("/v1/redact", {"input": TEXT}),
        client.post("/v1/classify", {"model": "nobody", "input": TEXT}),
        client.post("/v1/classify", {"model": "vectors", "input": TEXT}),
        client.post("/v1/classify", {"model": "classes", "input": "long " * 9000}),
        client.post("/v2/models/vectors/infer", v2_body()),
    ]


def v2_body() -> dict[str, Any]:
    return {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": [TEXT]}]}


def test_every_request_that_names_a_model_has_a_record(serve: Serve, tmp_path: Path) -> None:
    folder = tmp_path / "log"
    client = serve(audit=str(folder))
    responses = asked(client)
    for response, (index, event) in zip(responses, requests(folder), strict=True):
        assert response.headers["x-audit-index"] == str(index)
        assert event["api"]["request"]["uid"] == response.headers["x-request-id"]
        assert event["api"]["response"]["code"] == response.status_code
    found = dict(enumerate(event for _, event in requests(folder)))
    assert found[0]["unmapped"]["entities"] == {"PHONE_NUMBER": 1}
    assert found[0]["resources"][0]["name"] == "classes"
    assert found[0]["unmapped"]["input_tokens"] > 0
    assert found[4]["api"]["response"] == {"code": 404, "error": "unknown_model"}
    assert "resources" not in found[4]  # the name of an unknown model is whatever the client sent
    assert found[6]["unmapped"]["decision"] == "refused"
    client.get("/health/live")
    client.get("/metrics")
    client.get("/v1/models")
    client.post("/v1/classify", {"model": 7})
    client.get("/nowhere")
    client.close()
    assert counts(folder) == {
        "/health/live": 1,
        "/metrics": 1,
        "/v1/models": 1,
        "refused:invalid_input": 1,
        "refused:not_found": 1,
    }
    assert verified(folder)
    everything = b"".join(p.read_bytes() for p in folder.rglob("*") if p.is_file())
    for content in (CANARY, "Marguerite", "10.0.0.1", "nobody"):
        assert content.encode() not in everything


def test_digests_are_those_of_the_bytes_that_came_and_went(serve: Serve, tmp_path: Path) -> None:
    client = serve("classes", audit=str(tmp_path / "log"))
    body = json.dumps({"model": "classes", "input": TEXT}).encode()
    headers = {"content-type": "application/json"}
    responses = [client.request("POST", "/v1/classify", content=body, headers=headers) for _ in range(2)]
    client.close()
    keys = PeriodKeys(Disk(tmp_path / "log"))
    digests = []
    for response, (index, event) in zip(responses, requests(tmp_path / "log"), strict=True):
        period = period_of(event["time"])
        own = Digests(period, keys.read(period) or b"")
        assert event["unmapped"]["hmac"] == own.of_record(index, body, response.content)
        assert event["actor"]["user"]["uid"] == own.of_client("10.0.0.1")
        digests.append(event["unmapped"]["hmac"][0])
    assert digests[0] != digests[1]


def test_a_log_that_cannot_be_written_answers_nothing(serve: Serve, tmp_path: Path) -> None:
    client = serve("classes", audit=str(tmp_path / "log"))
    audit = client.application.service.audit
    assert isinstance(audit, AuditRecords)

    def refuse(records: object) -> None:
        raise OSError(28, "No space left on device")

    commit = audit.log._store.commit
    audit.log._store.commit = refuse  # type: ignore[method-assign]
    response = client.post("/v1/classify", {"model": "classes", "input": TEXT})
    assert response.status_code == 503
    assert response.json()["error"]["code"] == "audit_failed"
    assert "label" not in response.text
    assert "x-audit-index" not in response.headers
    audit.log._store.commit = commit  # type: ignore[method-assign]
    for _ in range(200):
        response = client.post("/v1/classify", {"model": "classes", "input": TEXT})
        if response.status_code == 200:
            break
        threading.Event().wait(0.05)
    assert response.status_code == 200
    client.close()
    assert verified(tmp_path / "log")


def test_large_bodies_are_digested_beside_the_event_loop(serve: Serve, tmp_path: Path) -> None:
    client = serve("vectors", audit=str(tmp_path / "log"))
    many = ["a" + " " * 180] * 1500
    response = client.post("/v1/embeddings", {"model": "vectors", "input": many})
    assert response.status_code == 200
    client.close()
    assert [i for i, _ in requests(tmp_path / "log")] == [int(response.headers["x-audit-index"])]
    assert verified(tmp_path / "log")


def test_retention_is_a_setting_of_the_service(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    now = [1_700_000_000.0]
    with AuditLog(folder, clock=lambda: now[0]) as log:
        from cloister.privacy.audit import Summary

        for _ in range(300):
            log.submit(Summary(1.0, {"x": 1}))
    records = AuditRecords(AuditLog(folder), "", retention_days=30)

    async def run() -> None:
        await records.start()
        await records.close()

    asyncio.run(run())
    assert not (folder / "tile/entries/000").exists()
    assert "2023-11-14" not in PeriodKeys(Disk(folder)).periods()
    assert verified(folder)


def test_what_cannot_be_summarized_now_is_summarized_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = AuditRecords(AuditLog(tmp_path / "log"), "")

    def refuse(event: object) -> None:
        raise AuditError("the disk is full", hint="make room")

    async def run() -> None:
        records.passed("/health/live")
        with monkeypatch.context() as patch:
            patch.setattr(records, "record", refuse)
            records._summarize()
        records.passed("/health/live")
        await records.close()

    asyncio.run(run())
    assert counts(tmp_path / "log") == {"/health/live": 2}


@pytest.mark.enable_socket
def test_a_process_with_an_audit_log_and_a_key_of_its_own(bundles: dict[str, Path], tmp_path: Path) -> None:
    key = SecretKey.generate("example.com/device")
    write_key_pair(tmp_path / "audit.key", tmp_path / "audit.pub", key)
    log = tmp_path / "log"
    arguments = (f"c={bundles['classes']}", "--audit", str(log), "--audit-key", str(tmp_path / "audit.key"))
    server = Server(*arguments)
    assert "audit on" in server.start_line
    answer = httpx.post(f"{server.url}/v1/classify", json={"model": "c", "input": TEXT})
    index = answer.headers["x-audit-index"]
    command = [str(Path(sys.executable).parent / "cloister"), "audit"]
    public = ["--public-key", str(tmp_path / "audit.pub")]

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, *more], capture_output=True, text=True, timeout=60, check=False)

    assert run("verify", str(log), *public).returncode == 0  # while it serves
    pruned = run("prune", str(log), "--keys-before", "2999-01-01", "--audit-key", str(tmp_path / "audit.key"))
    assert pruned.returncode == 1
    assert "another process writes" in pruned.stderr
    (tmp_path / "proof").write_text(run("prove", str(log), index).stdout)
    held = run("check-proof", str(tmp_path / "proof"), *public, "--json")
    assert json.loads(held.stdout)["record"]["api"]["request"]["uid"] == answer.headers["x-request-id"]
    assert server.stop() == 0
    second = subprocess.run(
        [*command[:1], "serve", f"c={bundles['classes']}", "--audit", str(log)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 1  # a log is not continued with another key
    assert "key" in second.stderr


@pytest.mark.enable_socket
def test_what_was_answered_before_a_kill_is_in_the_log(bundles: dict[str, Path], tmp_path: Path) -> None:
    log, promised = tmp_path / "log", []
    for _ in range(3):
        server = Server(f"c={bundles['classes']}", "--audit", str(log))
        stop = threading.Event()
        answered: list[tuple[int, str]] = []

        def ask(url: str = server.url, stop: threading.Event = stop, into: list[tuple[int, str]] = answered) -> None:
            with httpx.Client(base_url=url, timeout=10) as client:
                while not stop.is_set():
                    try:
                        response = client.post("/v1/classify", json={"model": "c", "input": "a text"})
                    except httpx.HTTPError:
                        return
                    into.append((int(response.headers["x-audit-index"]), response.headers["x-request-id"]))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        while len(answered) < 40:
            threading.Event().wait(0.01)
        os.kill(server.process.pid, signal.SIGKILL)
        stop.set()
        for thread in threads:
            thread.join(20)
        server.process.wait(10)
        promised += answered
        assert verified(log)
        found = {index: event["api"]["request"]["uid"] for index, event in requests(log)}
        assert all(found[index] == uid for index, uid in promised)
