"""Records as events of the Open Cybersecurity Schema Framework (OCSF) 1.5, https://schema.ocsf.io/1.5.0.

No content, ever: names of routes and models, counts, times, statuses and keyed digests.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from ... import __version__
from .keys import Digests

SCHEMA = "1.5.0"

Decision = Literal["allowed", "refused", "failed", "abandoned"]
Phase = Literal["accepted", "finished"]

_APPLICATION = 6
_LIFECYCLE = 6002
_API_ACTIVITY = 6003
_FINDINGS = 2
_DETECTION_FINDING = 2004
_DELETE, _OTHER = 4, 99
_START, _STOP = 3, 4
_CREATE = 1
_INFORMATIONAL, _LOW, _MEDIUM, _HIGH = 1, 2, 3, 4


@dataclass(frozen=True, repr=False)
class Request:
    """One request that named a model, or asked for redaction. Becomes an API Activity event (class 6003).

    Attributes:
        request_id: as in the `X-Request-Id` header.
        route: the route's template.
        client: who asked; the record keeps a keyed hash.
        model, model_digest: what answered; a name alone is whatever the client sent, and is not kept.
        policy_digest: of the redaction policy, empty where there is none.
        entities: how many values of each entity were redacted.
        input_tokens, output_tokens: read and written by the model.
        seconds: from request to answer.
        status: HTTP status.
        code: of the error, None where there was none.
        phase: `accepted` for the first of two records of an answer in pieces, else `finished`.
        found: values that a language model wrote and that were not in the request, by entity.
        finish: why such an answer ended.
        input, output: what came and what is sent; the record keeps keyed digests.
    """

    request_id: str
    route: str
    client: str
    model: str | None = None
    model_digest: str | None = None
    policy_digest: str = ""
    entities: Mapping[str, int] = field(default_factory=dict)
    input_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0
    status: int = 200
    code: str | None = None
    decision: Decision = "allowed"
    phase: Phase = "finished"
    found: Mapping[str, int] = field(default_factory=dict)
    finish: str = ""
    input: bytes = b""
    output: bytes = b""


@dataclass(frozen=True)
class Summary:
    """Requests that leave no record of their own, counted over a while. Attributes: `seconds`, `counts` by what."""

    seconds: float
    counts: Mapping[str, int]


@dataclass(frozen=True)
class Lifecycle:
    """The log was opened or closed.

    Attributes:
        started: opened rather than closed.
        dropped_bytes: of a write that a crash had torn, none of it ever acknowledged.
    """

    started: bool
    dropped_bytes: int = 0


@dataclass(frozen=True)
class Retention:
    """Something is about to be deleted. Attributes: `periods` whose keys go, `minimum_index` of records that stay."""

    periods: tuple[str, ...]
    minimum_index: int


@dataclass(frozen=True, repr=False)
class Alert:
    """Monitoring noticed something. Becomes a Detection Finding event (class 2004).

    Attributes:
        rule: which detector.
        title: one sentence.
        severity: how bad.
        client: whom it is about, None for the service as a whole; the record keeps a keyed hash.
        evidence: counts, scores and thresholds; no content.
    """

    rule: str
    title: str
    severity: Literal["low", "medium", "high"]
    client: str | None = None
    evidence: Mapping[str, float | int | str] = field(default_factory=dict)


Event = Request | Summary | Lifecycle | Retention | Alert

_encode = msgspec.json.Encoder().encode
_PRODUCT = {"name": "Cloister", "version": __version__}


class _Metadata(msgspec.Struct):
    sequence: int
    version: str = SCHEMA
    product: dict[str, str] = msgspec.field(default_factory=lambda: {"name": "Cloister"})


class _Api(msgspec.Struct):
    operation: str
    request: dict[str, str]
    response: dict[str, int | str]


class _Unmapped(msgspec.Struct, omit_defaults=True):
    hmac: list[str]
    decision: str
    phase: str = "finished"
    policy: str = ""
    entities: Mapping[str, int] = {}
    input_tokens: int = 0
    output_tokens: int = 0
    found: Mapping[str, int] = {}
    finish: str = ""


class _ApiActivity(msgspec.Struct, omit_defaults=True):
    """A request's event, in the order it is written. As a class, since this is what every request waits for."""

    time: int
    metadata: _Metadata
    class_uid: int
    category_uid: int
    activity_id: int
    activity_name: str
    type_uid: int
    severity_id: int
    duration: int
    actor: dict[str, dict[str, str]]
    src_endpoint: dict[str, str]
    api: _Api
    unmapped: _Unmapped
    resources: list[dict[str, str | None]] = []


def encode(event: Event, index: int, milliseconds: int, digests: Digests) -> bytes:
    """The bytes of a record.

    Args:
        event: what happened.
        index: of the record in the log.
        milliseconds: since 1970.
        digests: of the period that the time falls into.
    """
    match event:
        case Request():
            return _encode(_request(event, index, milliseconds, digests))
        case Summary():
            body = _api("Summarize", "summary", _OTHER) | {
                "duration": round(event.seconds * 1000),
                "unmapped": {"counts": dict(event.counts)},
            }
        case Retention():
            body = _api("Delete", "retention", _DELETE) | {
                "unmapped": {"periods": event.periods, "minimum_index": event.minimum_index}
            }
        case Lifecycle():
            body = _classified(_APPLICATION, _LIFECYCLE, _START if event.started else _STOP) | {"app": _PRODUCT}
            if event.dropped_bytes:
                body["unmapped"] = {"dropped_bytes": event.dropped_bytes}
        case Alert():
            body = _alert(event, index, digests)
    return _encode({"time": milliseconds, "metadata": _Metadata(index), **body})


def _classified(category: int, event_class: int, activity: int, severity: int = _INFORMATIONAL) -> dict[str, Any]:
    return {
        "class_uid": event_class,
        "category_uid": category,
        "activity_id": activity,
        "type_uid": event_class * 100 + activity,
        "severity_id": severity,
    }


def _api(name: str, operation: str, activity: int) -> dict[str, Any]:
    return _classified(_APPLICATION, _API_ACTIVITY, activity) | {
        "activity_name": name,
        "actor": {"app_name": "Cloister"},
        "api": {"operation": operation},
        "src_endpoint": {"name": "localhost"},
    }


def _request(event: Request, index: int, milliseconds: int, digests: Digests) -> _ApiActivity:
    client = digests.of_client(event.client)
    response: dict[str, int | str] = {"code": event.status}
    if event.code is not None:
        response["error"] = event.code
    contents = (event.input,) if event.phase == "accepted" else (event.input, event.output)
    known = event.model_digest is not None
    return _ApiActivity(
        time=milliseconds,
        metadata=_Metadata(index),
        class_uid=_API_ACTIVITY,
        category_uid=_APPLICATION,
        activity_id=_OTHER,
        activity_name="Infer",
        type_uid=_API_ACTIVITY * 100 + _OTHER,
        severity_id=_INFORMATIONAL,
        duration=round(event.seconds * 1000),
        actor={"user": {"uid": client}},
        src_endpoint={"uid": client},
        api=_Api(event.route, {"uid": event.request_id}, response),
        unmapped=_Unmapped(
            hmac=digests.of_record(index, *contents),
            decision=event.decision,
            phase=event.phase,
            policy=event.policy_digest,
            entities=event.entities,
            input_tokens=event.input_tokens,
            output_tokens=event.output_tokens,
            found=event.found,
            finish=event.finish,
        ),
        resources=[{"type": "model", "name": event.model, "uid": event.model_digest}] if known else [],
    )


_SEVERITY = {"low": _LOW, "medium": _MEDIUM, "high": _HIGH}


def _alert(event: Alert, index: int, digests: Digests) -> dict[str, Any]:
    evidence: dict[str, Any] = dict(event.evidence)
    if event.client is not None:
        evidence["client"] = digests.of_client(event.client)
    return _classified(_FINDINGS, _DETECTION_FINDING, _CREATE, _SEVERITY[event.severity]) | {
        "is_alert": True,
        "finding_info": {"uid": f"{event.rule}-{index}", "title": event.title, "types": [event.rule]},
        "evidences": [{"data": evidence}],
    }
