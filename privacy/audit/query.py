"""Which records somebody wants to see."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ... import InvalidInput
from .keys import Digests, PeriodKeys, period_of
from .reader import LogReader, parsed
from .storage import Disk

_START = 3
KINDS = {6003: "request", 6002: "lifecycle", 2004: "alert"}


@dataclass(frozen=True)
class Filter:
    """What a record must be; None lets everything through.

    Attributes:
        since, until: milliseconds since 1970; `until` is not included.
        kind: `request`, `summary`, `retention`, `lifecycle` or `alert`.
        status: HTTP status.
        decision, model, route, request_id: as recorded.
        entity: at least one value of it was redacted.
        client: its name; found by its keyed hash, for which the periods' keys must be there.
    """

    since: int | None = None
    until: int | None = None
    kind: str | None = None
    status: int | None = None
    decision: str | None = None
    model: str | None = None
    route: str | None = None
    request_id: str | None = None
    entity: str | None = None
    client: str | None = None


@dataclass(frozen=True)
class Row:
    """A record in words.

    Attributes:
        index, time: its number, and milliseconds since 1970.
        kind: see `Filter`.
        status, decision, route, model, request_id, client: None where the record has none.
        entities: values redacted, by entity.
        milliseconds: how long it took.
        detail: of what is no request.
    """

    index: int
    time: int
    kind: str
    status: int | None
    decision: str | None
    route: str | None
    model: str | None
    request_id: str | None
    client: str | None
    entities: Mapping[str, int]
    milliseconds: int | None
    detail: str


def rows(log: LogReader, wanted: Filter, folder: Disk) -> Iterator[tuple[Row, dict[str, Any]]]:
    """Records that pass a filter, in order, as rows and as they are. Raises AuditLogError for a damaged log."""
    clients = _Clients(PeriodKeys(folder), wanted.client)
    for index, event in parsed(log):
        row = _row(index, event)
        if _passes(row, wanted) and clients.match(row):
            yield row, event


def milliseconds(text: str) -> int:
    """A time as a person writes it: `2026-01-31` or `2026-01-31T12:00`, in UTC unless it says otherwise.

    Raises:
        InvalidInput: not a time.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput("not a date or time", hint="write 2026-01-31 or 2026-01-31T12:00") from None
    return round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)


def _row(index: int, event: dict[str, Any]) -> Row:
    api, more = _part(event, "api"), _part(event, "unmapped")
    resources = event.get("resources") or [{}]
    kind = KINDS.get(event.get("class_uid", 0), "other")
    operation = api.get("operation")
    if operation in ("summary", "retention"):
        kind = operation
    return Row(
        index=index,
        time=int(event.get("time", 0)),
        kind=kind,
        status=_part(api, "response").get("code"),
        decision=more.get("decision"),
        route=operation if kind == "request" else None,
        model=resources[0].get("name"),
        request_id=_part(api, "request").get("uid"),
        client=_part(_part(event, "actor"), "user").get("uid"),
        entities=_part(more, "entities"),
        milliseconds=event.get("duration"),
        detail=_detail(kind, event),
    )


def _detail(kind: str, event: dict[str, Any]) -> str:
    more = _part(event, "unmapped")
    match kind:
        case "summary":
            return ", ".join(f"{count} {name}" for name, count in _part(more, "counts").items())
        case "retention":
            return f"keys of {len(more.get('periods', []))} periods, records before {more.get('minimum_index')}"
        case "lifecycle":
            return "opened" if event.get("activity_id") == _START else "closed"
        case "alert":
            return str(_part(event, "finding_info").get("title", ""))
        case _:
            return ""


def _part(event: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = event.get(name)
    return value if isinstance(value, dict) else {}


def _passes(row: Row, wanted: Filter) -> bool:
    if wanted.since is not None and row.time < wanted.since:
        return False
    if wanted.until is not None and row.time >= wanted.until:
        return False
    if wanted.entity is not None and wanted.entity not in row.entities:
        return False
    same = ("kind", "status", "decision", "model", "route", "request_id")
    return all(getattr(wanted, name) in (None, getattr(row, name)) for name in same)


class _Clients:
    def __init__(self, keys: PeriodKeys, name: str | None) -> None:
        self._keys = keys
        self._name = name
        self._hashes: dict[str, str | None] = {}

    def match(self, row: Row) -> bool:
        if self._name is None:
            return True
        period = period_of(row.time)
        if period not in self._hashes:
            key = self._keys.read(period)
            self._hashes[period] = None if key is None else Digests(period, key).of_client(self._name)
        return row.client is not None and row.client == self._hashes[period]
