"""`cloister audit`: show, verify, checkpoint, prove, check-proof, cosign, export, prune."""

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import AuditLogError, InvalidInput, StorageError

if TYPE_CHECKING:
    from ..privacy.audit.check import Verdict
    from ..privacy.audit.check_notes import Key
    from ..privacy.audit.query import Filter, Row

audit = typer.Typer(name="audit", help="Read, check and prove what an audit log says.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(help="Folder of the log.", metavar="DIR")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
PublicKeys = Annotated[
    list[Path] | None, typer.Option("--public-key", help="The log's .pub file; repeat it for those of witnesses.")
]
Since = Annotated[str | None, typer.Option(help="From this date or time on, UTC.")]
Until = Annotated[str | None, typer.Option(help="Before this date or time, UTC.")]
Kind = Annotated[str | None, typer.Option(help="request, summary, retention, lifecycle or alert.")]
Status = Annotated[int | None, typer.Option(help="HTTP status.")]
Decision = Annotated[str | None, typer.Option(help="allowed, refused, failed or abandoned.")]
Model = Annotated[str | None, typer.Option(help="Name of the model.")]
Route = Annotated[str | None, typer.Option(help="Route, such as /v1/classify.")]
RequestId = Annotated[str | None, typer.Option(help="The X-Request-Id of a response.")]
Entity = Annotated[str | None, typer.Option(help="An entity that was redacted, such as PHONE_NUMBER.")]
Client = Annotated[str | None, typer.Option(help="Name of a client; needs the keys of the log's periods.")]


@audit.command()
def show(
    folder: Folder,
    since: Since = None,
    until: Until = None,
    kind: Kind = None,
    status: Status = None,
    decision: Decision = None,
    model: Model = None,
    route: Route = None,
    request_id: RequestId = None,
    entity: Entity = None,
    client: Client = None,
    last: Annotated[int | None, typer.Option(min=1, help="Only the last so many.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show records as a table, or with --json as JSON Lines. Nothing is checked: `verify` does that.

    Example: cloister audit show ./audit --since 2026-01-31 --decision refused --last 20
    """
    wanted = _filter(since, until, kind, status, decision, model, route, request_id, entity, client)
    found: Iterable[tuple[Row, dict[str, Any]]] = _rows(folder, wanted)
    if last is not None:
        from collections import deque

        found = deque(found, last)
    if as_json:
        for row, _ in found:
            sys.stdout.write(json.dumps(asdict(row), ensure_ascii=False) + "\n")
        return
    _table(row for row, _ in found)


@audit.command("export")
def export_(
    folder: Folder,
    since: Since = None,
    until: Until = None,
    kind: Kind = None,
    status: Status = None,
    decision: Decision = None,
    model: Model = None,
    route: Route = None,
    request_id: RequestId = None,
    entity: Entity = None,
    client: Client = None,
) -> None:
    """Write records as they are, OCSF events as JSON Lines, for a SIEM.

    Example: cloister audit export ./audit --since 2026-01-31 > events.jsonl
    """
    wanted = _filter(since, until, kind, status, decision, model, route, request_id, entity, client)
    for _, event in _rows(folder, wanted):
        sys.stdout.write(json.dumps(event, ensure_ascii=False, separators=(",", ":")) + "\n")


@audit.command()
def verify(
    folder: Folder,
    checkpoint: Annotated[
        list[Path] | None, typer.Option(help="A checkpoint kept elsewhere that the log must extend.")
    ] = None,
    public_key: PublicKeys = None,
    as_json: AsJson = False,
) -> None:
    """Check every record, hash and signature; exit 1 when something is wrong.

    Without a checkpoint that was kept elsewhere nobody can tell whether the log's end was cut off.
    Example: cloister audit verify ./audit --public-key audit.pub --checkpoint kept.txt
    """
    from ..privacy.audit import check

    keys, own = _keys(public_key, folder)
    verdict = check.verify(folder, keys, [_read(path) for path in checkpoint or []])
    if own:
        message = "the public key was taken from the log's own folder: who can write there can replace both"
        verdict.warnings.append(check.Finding("own_key", message))
    if as_json:
        sys.stdout.write(json.dumps(_as_json(verdict)) + "\n")
    else:
        _say(verdict)
    if not verdict.ok:
        raise AuditLogError(
            f"the audit log does not verify: {len(verdict.problems)} problems",
            hint="keep the folder as it is; do not go on writing to it",
            code="audit_log_tampered",
        )


@audit.command()
def checkpoint(
    folder: Folder,
    old: Annotated[
        int | None,
        typer.Option(min=0, help="Records a witness has seen: print the proof it wants before the checkpoint."),
    ] = None,
) -> None:
    """Print the latest signed checkpoint. Keep it somewhere else: it proves later that nothing was changed or cut off.

    Example: cloister audit checkpoint ./audit > kept.txt
    """
    from ..privacy.audit.proof import witness_request
    from ..privacy.audit.reader import LogReader

    log = LogReader(folder)
    sys.stdout.buffer.write(log.note if old is None else witness_request(log, old))


@audit.command()
def prove(
    folder: Folder,
    record: Annotated[int, typer.Argument(min=0, help="Number of the record, the X-Audit-Index of its response.")],
) -> None:
    """Print a proof that a record is in the log; it holds the record, and needs nothing but the public key to check.

    Example: cloister audit prove ./audit 42 > 42.tlog-proof
    """
    from ..privacy.audit.proof import inclusion_proof
    from ..privacy.audit.reader import LogReader

    sys.stdout.buffer.write(inclusion_proof(LogReader(folder), record))


@audit.command("check-proof")
def check_proof(
    file: Annotated[Path, typer.Argument(help="What `prove` printed.")],
    public_key: Annotated[
        list[Path], typer.Option("--public-key", help="The log's .pub file, and those of witnesses.")
    ],
    as_json: AsJson = False,
) -> None:
    """Check a proof without the log; exit 1 when it does not hold.

    Example: cloister audit check-proof 42.tlog-proof --public-key audit.pub
    """
    from ..privacy.audit import check_proof as stranger

    keys, _ = _keys(public_key, None)
    proven = stranger.check_proof(_read(file), keys)
    event = json.loads(proven.record)
    if as_json:
        fields = {
            "index": proven.index,
            "origin": proven.head.origin,
            "entries": proven.head.size,
            "cosigned_by": list(proven.head.cosigned),
            "record": event,
        }
        sys.stdout.write(json.dumps(fields, ensure_ascii=False) + "\n")
        return
    witnesses = f", cosigned by {', '.join(proven.head.cosigned)}" if proven.head.cosigned else ""
    sys.stdout.write(
        f"holds: record {proven.index} is in the log {proven.head.origin} of {proven.head.size} records{witnesses}\n"
        f"{json.dumps(event, ensure_ascii=False)}\n"
    )


@audit.command()
def cosign(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint, or what `checkpoint --old N` printed.")],
    key: Annotated[Path, typer.Option(help="The witness's secret key.")],
    public_key: Annotated[
        Path | None, typer.Option("--public-key", help="The log's .pub file: also check the log's own signature.")
    ] = None,
) -> None:
    """Cosign a checkpoint as a witness, after checking that the log only grew since the last one. Prints it.

    What the witness saw is kept beside its key. Example:
    cloister audit cosign kept.txt --key witness.key --public-key audit.pub > cosigned.txt
    """
    from ..privacy.audit import witness
    from ..privacy.keyfiles import read_public_key

    log_key = None if public_key is None else read_public_key(public_key)
    if log_key is None:
        sys.stderr.write("warning: the log's own signature was not checked: give --public-key\n")
    sys.stdout.buffer.write(witness.cosign(_read(checkpoint), key, log_key))


@audit.command()
def prune(
    folder: Folder,
    audit_key: Annotated[
        Path | None, typer.Option(help="Secret key of the log; its own audit.key unless given.")
    ] = None,
    keys_before: Annotated[
        str | None, typer.Option(help="Delete the keys of periods before this date: their digests mean nothing then.")
    ] = None,
    records_before: Annotated[
        str | None, typer.Option(help="Delete records older than this; hashes stay, and with them all proofs.")
    ] = None,
) -> None:
    """Delete what is past its time, and record that it was deleted. Refused while a service writes to the log.

    Example: cloister audit prune ./audit --keys-before 2025-11-01 --records-before 2025-11-01
    """
    from ..privacy.audit.log import AuditLog
    from ..privacy.audit.query import milliseconds
    from ..privacy.keyfiles import read_secret_key

    if keys_before is None and records_before is None:
        raise InvalidInput("nothing to delete was named", hint="give --keys-before or --records-before, or both")
    before = None if records_before is None else milliseconds(records_before)
    day = None if keys_before is None else datetime.fromtimestamp(milliseconds(keys_before) / 1000, UTC).date()
    _require_log(folder)
    with AuditLog(folder, None if audit_key is None else read_secret_key(audit_key)) as log:
        done = log.retire(periods_before=None if day is None else day.isoformat(), records_before=before)
    sys.stdout.write(
        f"deleted the keys of {len(done.periods)} periods; records from {done.minimum_index} on are there\n"
    )


def _require_log(folder: Path) -> None:
    from ..privacy.audit.reader import LogReader

    LogReader(folder)


def _rows(folder: Path, wanted: "Filter") -> "Iterable[tuple[Row, dict[str, Any]]]":
    from ..privacy.audit.query import rows
    from ..privacy.audit.reader import LogReader
    from ..privacy.audit.storage import Disk

    return rows(LogReader(folder), wanted, Disk(folder))


def _filter(since: str | None, until: str | None, kind: str | None, status: int | None, *texts: str | None) -> "Filter":
    from ..privacy.audit.query import Filter, milliseconds

    decision, model, route, request_id, entity, client = texts
    if kind is not None and kind not in ("request", "summary", "retention", "lifecycle", "alert"):
        raise InvalidInput("unknown kind of record", hint="request, summary, retention, lifecycle or alert")
    return Filter(
        since=None if since is None else milliseconds(since),
        until=None if until is None else milliseconds(until),
        kind=kind,
        status=status,
        decision=decision,
        model=model,
        route=route,
        request_id=request_id,
        entity=entity,
        client=client,
    )


def _keys(given: list[Path] | None, folder: Path | None) -> "tuple[list[Key], bool]":
    """Public keys, and whether the log's own folder had to supply them."""
    from ..privacy.audit.check_notes import read_key

    if given:
        return [read_key(_read(path).decode("utf-8", "replace").strip()) for path in given], False
    own = folder / "audit.pub" if folder is not None else None
    if own is None or not own.is_file():
        raise InvalidInput("there is no public key to check with", hint="give the log's .pub file with --public-key")
    return [read_key(_read(own).decode("utf-8", "replace").strip())], True


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StorageError(f"cannot read {path.name}: {error.strerror}", hint="check the path") from None


def _as_json(verdict: "Verdict") -> dict[str, Any]:
    return {
        "ok": verdict.ok,
        "entries": verdict.entries,
        "root": verdict.root.hex(),
        "pruned": verdict.pruned,
        "anchored_to": [{"entries": a.entries, "cosigned_by": list(a.cosigned)} for a in verdict.anchored_to],
        "problems": [asdict(finding) for finding in verdict.problems],
        "warnings": [asdict(finding) for finding in verdict.warnings],
    }


def _say(verdict: "Verdict") -> None:
    for finding in verdict.problems:
        sys.stdout.write(f"problem: {finding.message}\n")
    for finding in verdict.warnings:
        sys.stdout.write(f"warning: {finding.message}\n")
    for anchor in verdict.anchored_to:
        witnesses = f", cosigned by {', '.join(anchor.cosigned)}" if anchor.cosigned else ""
        sys.stdout.write(f"anchored: the log extends the kept checkpoint of {anchor.entries} records{witnesses}\n")
    if verdict.ok:
        sys.stdout.write(f"verified: {verdict.entries} records, root {verdict.root.hex()}\n")


def _table(found: "Iterable[Row]") -> None:
    head = ("record", "time", "kind", "status", "decision", "route", "model", "redacted", "ms", "request / detail")
    lines = [head, *(_cells(row) for row in found)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    for line in lines:
        sys.stdout.write(
            "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() + "\n"
        )


def _cells(row: "Row") -> tuple[str, ...]:
    time = datetime.fromtimestamp(row.time / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    redacted = ", ".join(f"{count} {entity}" for entity, count in row.entities.items())
    cells = (row.index, time, row.kind, row.status, row.decision, row.route, row.model, redacted, row.milliseconds)
    return (*("" if cell is None else str(cell) for cell in cells), row.request_id or row.detail)
