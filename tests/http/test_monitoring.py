"""An attack on a running service: alert in the audit, the metrics, the log and the webhook, and no content in any."""

import json
import logging
import random
from pathlib import Path
from typing import Any

import pytest

from cloister import AuditError
from cloister.export import export
from cloister.privacy.audit.reader import LogReader, parsed
from cloister.privacy.monitoring import Alert
from cloister.runtime import load
from cloister.runtime.http.application import build
from cloister.runtime.settings import Settings
from cloister.runtime.trail import NoAudit
from tests.runtime.test_watch import Receiver, receiver
from tests.support.service import Client, Serve

__all__ = ["receiver"]  # the fixture

CANARY = "zyxcanary77"


class Kept(NoAudit):
    """Keeps alerts."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []

    def alerted(self, alert: Alert) -> None:
        self.alerts.append(alert)


def variants(count: int) -> list[str]:
    rng = random.Random(0)
    base = f"the {CANARY} parcel that was sent to the office last week has not arrived until today".split()
    made = []
    for i in range(count):
        words = [*base]
        words[rng.randrange(2, len(words))] = f"word{i}"
        made.append(" ".join(words))
    return made


@pytest.mark.enable_socket
@pytest.mark.parametrize("policy", ["identifiers", "off"])
def test_extraction_is_noticed(serve: Serve, receiver: str, policy: str, caplog: pytest.LogCaptureFixture) -> None:
    audit = Kept()
    client = serve("classes", parts={"audit": audit}, policy=policy, alert_webhook=receiver)
    with caplog.at_level(logging.WARNING, "cloister.alerts"):
        for text in variants(60):
            assert client.post("/v1/classify", {"model": "classes", "input": text}).status_code == 200
    assert {alert.kind for alert in audit.alerts} >= {"near_duplicates"}
    assert {alert.name for alert in audit.alerts} == {"10.0.0.1"}  # for the audit log to hash with its own key
    metrics = client.get("/metrics").text
    assert 'cloister_alerts_total{kind="near_duplicates"} 1.0' in metrics
    assert "cloister_monitored_clients 1.0" in metrics
    for _ in audit.alerts:
        assert Receiver.came.acquire(timeout=10)
    assert [json.loads(body) for body in Receiver.bodies] == [alert.fields() for alert in audit.alerts]
    logged = [vars(r)["fields"] for r in caplog.records if r.name == "cloister.alerts"]
    assert logged == [alert.fields() for alert in audit.alerts]
    said = metrics + repr(audit.alerts) + repr(logged) + b"".join(Receiver.bodies).decode()
    assert CANARY not in said
    assert "10.0.0.1" not in said


def test_an_alert_is_a_record_of_the_audit_log(serve: Serve, tmp_path: Path) -> None:
    client = serve("classes", audit=str(tmp_path / "log"))
    for _ in range(40):
        assert client.post("/v1/classify", {"model": "nobody", "input": CANARY}).status_code == 404
    written = [event for _, event in parsed(LogReader(tmp_path / "log"))]
    events = [event for event in written if event["class_uid"] == 2004]
    assert [event["finding_info"]["types"] for event in events] == [["refusals"]]
    assert events[0]["evidences"][0]["data"]["sum"] >= 20
    clients = {e["actor"]["user"]["uid"] for e in written if e.get("activity_name") == "Infer"}
    assert {events[0]["evidences"][0]["data"]["client"]} == clients
    assert CANARY not in json.dumps(events)


def test_thresholds_come_from_the_policy(serve: Serve, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    for line, expected in (("refused_limit = 2", {"refusals"}), ('off = ["refusals"]', set())):
        policy.write_text(f"[monitor]\n{line}\n")
        audit = Kept()
        client = serve("classes", parts={"audit": audit}, policy=str(policy))
        for _ in range(40):
            client.post("/v1/classify", {"model": "nobody", "input": "a"})
        assert {alert.kind for alert in audit.alerts} == expected


def test_requests_that_never_reach_a_model_are_watched_too(serve: Serve) -> None:
    audit = Kept()
    client = serve("classes", parts={"audit": audit})
    for _ in range(40):
        assert client.post("/v1/classify", [1]).status_code == 400
    assert [alert.kind for alert in audit.alerts] == ["refusals"]


def test_an_alert_that_cannot_be_recorded_keeps_the_answer_back(serve: Serve) -> None:
    class Full(NoAudit):
        def alerted(self, alert: Alert) -> None:
            raise AuditError("the disk is full", hint="free some space")

    client = serve("classes", parts={"audit": Full()})
    answers = [client.post("/v1/classify", {"model": "nobody", "input": "a"}) for _ in range(40)]
    failed = [r for r in answers if r.status_code == 503]
    assert len(failed) == 1
    assert failed[0].json()["error"]["code"] == "audit_failed"


def test_a_reference_in_the_bundle_is_what_drift_is_measured_against(
    make_model: Any, make_engine: Any, tmp_path: Path
) -> None:
    rng = random.Random(1)
    words = ["card", "lost", "parcel", "weather", "餐厅", "late", "café", "404", CANARY]
    pool = [" ".join(rng.choices(rng.sample(words, 3), k=rng.randint(1, 8))) for _ in range(1000)]
    plain = make_engine("bert", "text-classification", "fp32", initializer_range=0.2)
    by_score = sorted(pool, key=dict(zip(pool, (p.score for p in plain.predict(pool)), strict=True)).__getitem__)
    low, high = by_score[:200], by_score[-208:]

    export(
        make_model("bert", "text-classification", initializer_range=0.2),
        tmp_path / "m",
        precision="fp32",
        calibration=low,
    )
    assert CANARY.encode() not in (tmp_path / "m" / "reference.json").read_bytes()
    engine = load(tmp_path / "m", check=True)
    assert engine.manifest.reference == "reference.json"
    reference = engine.reference
    assert reference is not None
    assert reference.samples == 200
    labels = [p.label for p in plain.predict(low)]
    assert reference.labels == {name: labels.count(name) for name in set(labels)}

    audit = Kept()
    client = Client(build(Settings(bundles=[str(tmp_path / "m")]), audit=audit))
    try:
        for part in range(0, 208, 4):
            assert client.post("/v1/classify", {"model": "m", "input": high[part : part + 4]}).status_code == 200
    finally:
        client.close()
    found = next(alert for alert in audit.alerts if alert.kind == "score_drift")
    assert found.model == engine.digest
    assert found.evidence["reference"] == 200
