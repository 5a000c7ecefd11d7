"""The log as its users see it: records, group commit, errors, what a second process and a full disk do."""

import asyncio
import errno
import json
import logging
import os
import threading
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cloister import AuditError, AuditLogError, CloisterError, KeyFileError, StorageError
from cloister.privacy.audit import Alert, AuditLog, Request, Summary
from cloister.privacy.audit import log as log_module
from cloister.privacy.audit.check import Verdict, verify
from cloister.privacy.audit.check_files import Files
from cloister.privacy.audit.check_notes import read_key
from cloister.privacy.audit.events import encode
from cloister.privacy.audit.keys import Digests, PeriodKeys, derive, record_key
from cloister.privacy.audit.reader import LogReader, parsed
from cloister.privacy.audit.storage import Appender, Disk
from cloister.privacy.notes import SecretKey

KEY = SecretKey("example.com/log", bytes(range(32)))
CANARY = "marguerite.canary@example.com"


def request(number: int = 0, **fields: object) -> Request:
    values: dict[str, object] = {
        "request_id": f"request-{number}",
        "route": "/v1/classify",
        "client": CANARY,
        "model": "minilm",
        "model_digest": "ab" * 32,
        "policy_digest": "cd" * 32,
        "entities": {"EMAIL_ADDRESS": 1},
        "input_tokens": 7,
        "seconds": 0.0123,
        "input": f"{CANARY} in".encode(),
        "output": f"{CANARY} out".encode(),
    }
    return Request(**{**values, **fields})  # type: ignore[arg-type]


def checked(folder: Path, *kept: bytes, key: SecretKey = KEY) -> Verdict:
    return verify(folder, [read_key(key.public.line)], kept)


def test_records_come_back_in_order_and_the_log_verifies(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "log", KEY) as log:
        indices = [log.append(request(i)) for i in range(5)]
        kept = log.checkpoint()
    assert indices == [1, 2, 3, 4, 5]  # 0 says that the log was opened
    with AuditLog(tmp_path / "log", KEY) as log:
        assert log.append(request(9)) == 8  # 6: closed, 7: opened again
    events = dict(parsed(LogReader(tmp_path / "log")))
    assert [events[i]["metadata"]["sequence"] for i in range(10)] == list(range(10))
    assert events[3]["api"]["request"] == {"uid": "request-2"}
    verdict = checked(tmp_path / "log", kept)
    assert verdict.problems == []
    assert verdict.entries == 10
    assert [anchor.entries for anchor in verdict.anchored_to] == [6]
    assert (tmp_path / "log").stat().st_mode & 0o077 == 0


def test_a_record_has_no_content_and_its_digests_need_its_key(tmp_path: Path) -> None:
    with AuditLog(tmp_path, KEY) as log:
        index = log.append(request())
        log.append(request())
    everything = b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    assert CANARY.encode() not in everything
    reader = LogReader(tmp_path)
    first, second = (json.loads(reader.entry(i)) for i in (index, index + 1))
    assert first["unmapped"]["hmac"] != second["unmapped"]["hmac"]  # equal texts do not look equal
    assert first["actor"] == second["actor"]  # the same client within a period does
    (period,) = PeriodKeys(Disk(tmp_path)).periods()
    key = PeriodKeys(Disk(tmp_path)).read(period) or b""
    from cryptography.hazmat.primitives import hashes, hmac
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    independent = HKDF(hashes.SHA256(), 32, None, b"cloister audit record" + index.to_bytes(8)).derive(key)
    assert record_key(key, index) == independent
    assert derive(key, b"x") == HKDF(hashes.SHA256(), 32, None, b"x").derive(key)
    mac = hmac.HMAC(independent, hashes.SHA256())
    mac.update(f"{CANARY} in".encode())
    assert first["unmapped"]["hmac"][0] == b64encode(mac.finalize()).decode()
    assert (tmp_path / "periods" / f"{period}.key").stat().st_mode & 0o777 == 0o600


# Required attributes of each class by the published schema (version 1.5), and where at least one of several is needed.
_BASE = ("class_uid", "category_uid", "activity_id", "type_uid", "severity_id", "time", "metadata")
_REQUIRED = {
    6003: (*_BASE, "actor", "api", "src_endpoint"),
    6002: (*_BASE, "app"),
    2004: (*_BASE, "finding_info"),
}


def test_records_are_events_of_the_published_schema(tmp_path: Path) -> None:
    alert = Alert("burst", "many requests", "high", client=CANARY, evidence={"count": 900, "limit": 100})
    with AuditLog(tmp_path, KEY) as log:
        for recorded in (request(code="overloaded", status=429), request(phase="accepted"), alert):
            log.append(recorded)
        log.append(Summary(60.0, {"health": 12}))
        log.retire(periods_before="2999-01-01")
    events = [event for _, event in parsed(LogReader(tmp_path))]
    assert len(events) == 7
    for event in events:
        kind = event["class_uid"]
        assert event.keys() >= set(_REQUIRED[kind])
        assert event["category_uid"] == kind // 1000
        assert event["type_uid"] == kind * 100 + event["activity_id"]
        metadata = event["metadata"]
        assert metadata["version"] == "1.5.0"
        assert metadata["product"]["name"] == "Cloister"
        if kind == 6003:
            assert event["api"]["operation"]
        if kind == 2004:
            assert event["finding_info"].keys() >= {"uid", "title"}
    assert CANARY not in json.dumps(events)


def test_one_commit_serves_all_that_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = AuditLog(tmp_path, KEY)
    commits: list[int] = []
    entered, leave = threading.Event(), threading.Event()
    commit = log._store.commit

    def slow(records: list[bytes]) -> None:
        commits.append(len(records))
        entered.set()
        assert leave.wait(10)
        commit(records)

    monkeypatch.setattr(log._store, "commit", slow)
    with ThreadPoolExecutor(33) as threads:
        first = threads.submit(log.append, request())
        assert entered.wait(10)
        others = [log.submit(request(i)) for i in range(32)]
        leave.set()
        assert first.result(10) == 1
        assert [f.result(10) for f in others] == list(range(2, 34))
    assert commits == [1, 32]
    log.close()
    assert checked(tmp_path).ok


def test_threads_and_coroutines_share_a_log(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, KEY)

    async def ask() -> list[int]:
        return await asyncio.gather(*(asyncio.wrap_future(log.submit(request(i))) for i in range(100)))

    with ThreadPoolExecutor(8) as threads:
        from_threads = list(threads.map(lambda i: log.append(request(i)), range(300)))
        from_coroutines = asyncio.run(ask())
    log.close()
    assert sorted([*from_threads, *from_coroutines]) == list(range(1, 401))
    verdict = checked(tmp_path)
    assert verdict.ok
    assert verdict.entries == 402


def test_a_caller_that_leaves_takes_no_record_with_it(tmp_path: Path) -> None:
    with AuditLog(tmp_path, KEY) as log:
        assert not log.submit(request()).cancel()
        assert log.append(request()) == 2


def test_readers_see_whole_records_while_a_writer_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "PUBLISH_RECORDS", 40)
    log = AuditLog(tmp_path, KEY)
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            [log.submit(request(number)) for _ in range(16)][-1].result()
            number += 1

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        kept = log.checkpoint()
        sizes: list[int] = []
        while not sizes or (sizes[-1] < 600 and len(sizes) < 500):
            reader = LogReader(tmp_path)
            entries = list(reader.entries())
            assert [i for i, _ in entries] == list(range(reader.head.size))
            assert reader.root(reader.head.size) == reader.head.root
            verdict = checked(tmp_path, kept)
            assert verdict.problems == []
            sizes.append(verdict.entries)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        log.close()
    assert sizes == sorted(sizes)
    assert sizes[-1] > 256


def test_a_journal_that_goes_while_it_is_read_is_not_blamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer removes it once its records are in tiles: after the listing, and with the checkpoint as it was."""
    log = AuditLog(tmp_path, KEY)
    log.submit(request(0)).result()
    log.close()
    journal = tmp_path / "journal" / ("0" * 19 + "7")
    listed = Files._journals
    shown = 0

    def going(self: Files) -> list[str]:
        nonlocal shown
        shown += 1
        return [*listed(self), journal.name] if shown == 1 else listed(self)

    monkeypatch.setattr(Files, "_journals", going)
    assert checked(tmp_path).problems == []
    assert shown > 2
    journal.mkdir()
    assert [p.kind for p in checked(tmp_path).problems] == ["unexpected"]


class Failing(Disk):
    """A disk that refuses what it is told to."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.full = False

    def _check(self) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")

    def write(self, path: str, data: bytes, mode: int = 0o644) -> None:
        self._check()
        super().write(path, data, mode)

    def append(self, path: str) -> Appender:
        appender = super().append(path)
        outer = self

        class Tearing:
            def write(self, data: bytes) -> None:
                if outer.full:
                    appender.write(data[: len(data) // 2])
                outer._check()
                appender.write(data)

            def sync(self) -> None:
                outer._check()
                appender.sync()

            def close(self) -> None:
                appender.close()

        return Tearing()


def test_a_full_disk_refuses_records_and_loses_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "_RETRY_SECONDS", 0.01)
    disk = Failing(tmp_path)
    log = AuditLog(tmp_path, KEY, storage=disk)
    acknowledged = [log.append(request(i)) for i in range(3)]
    disk.full = True
    for _ in range(3):
        with pytest.raises(AuditError, match="No space left"):
            log.append(request())
    disk.full = False
    for _ in range(1000):
        try:
            acknowledged.append(log.append(request(99)))
            break
        except AuditError:
            threading.Event().wait(0.01)
    assert acknowledged == [1, 2, 3, 4]
    log.close()
    verdict = checked(tmp_path)
    assert verdict.problems == []
    assert verdict.entries == 6


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with AuditLog(tmp_path, KEY):
        before = sorted(p.name for p in tmp_path.rglob("*"))
        with pytest.raises(AuditLogError, match="another process"):
            AuditLog(tmp_path, KEY)
        assert sorted(p.name for p in tmp_path.rglob("*")) == before
    with AuditLog(tmp_path, KEY) as log:
        assert log.append(request()) == 3


def test_a_log_without_a_key_makes_one_and_says_so(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "log") as log:
        assert log.made_key
        public = log.public_key
    with AuditLog(tmp_path / "log") as log:
        assert not log.made_key
        assert log.public_key == public
    assert (tmp_path / "log" / "audit.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "log" / "audit.pub").read_text().strip() == public.line
    (tmp_path / "log" / "audit.key").chmod(0o644)
    with pytest.raises(KeyFileError, match="others"):
        AuditLog(tmp_path / "log")


def test_wrong_folders_and_keys_are_refused_and_nothing_changes(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with AuditLog(log, KEY) as opened:
        opened.append(request())
    before = {p: p.read_bytes() for p in log.rglob("*") if p.is_file()}
    renamed = SecretKey("example.com/other", bytes(range(32)))
    for key in (SecretKey.generate("example.com/log"), renamed):
        with pytest.raises(AuditLogError):
            AuditLog(log, key)
    assert {p: p.read_bytes() for p in log.rglob("*") if p.is_file()} == before
    (tmp_path / "file").write_text("")
    with pytest.raises(AuditLogError, match="not a folder"):
        AuditLog(tmp_path / "file", KEY)
    with pytest.raises(StorageError):
        AuditLog(tmp_path / "none" / "log", KEY)
    with pytest.raises(AuditLogError) as raised:
        LogReader(tmp_path / "none")
    assert raised.value.code == "audit_log_not_found"
    closed = AuditLog(tmp_path / "closed", KEY)
    closed.close()
    closed.close()
    with pytest.raises(AuditError, match="closed"):
        closed.append(request())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere; the next test shows the same with a storage")
def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError):
        AuditLog(tmp_path, KEY)


def test_a_read_only_disk_is_refused_for_writing_and_can_be_read(tmp_path: Path) -> None:
    with AuditLog(tmp_path, KEY) as log:
        log.append(request())

    class ReadOnly(Disk):
        def write(self, path: str, data: bytes, mode: int = 0o644) -> None:
            raise OSError(errno.EROFS, "Read-only file system")

    with pytest.raises(StorageError, match="Read-only"):
        AuditLog(tmp_path, KEY, storage=ReadOnly(tmp_path))
    assert checked(tmp_path).ok


def test_periods_end_and_their_keys_can_go(tmp_path: Path) -> None:
    day = 86_400.0
    now = [1_800_000_000.0]
    log = AuditLog(tmp_path, KEY, clock=lambda: now[0])
    for step in range(3):
        now[0] = 1_800_000_000.0 + step * day
        for i in range(300):
            log.submit(request(i))
        log.append(request(step))
    log.close()
    periods = PeriodKeys(Disk(tmp_path)).periods()
    assert len(periods) == 3
    before = checked(tmp_path)
    kept = LogReader(tmp_path).note
    log = AuditLog(tmp_path, KEY, clock=lambda: now[0])
    cutoff = round((1_800_000_000.0 + 2 * day) * 1000)
    retention = log.retire(periods_before=periods[2], records_before=cutoff)
    assert retention.periods == tuple(periods[:2])
    assert retention.minimum_index == 512
    index = log.append(request())
    log.close()
    assert PeriodKeys(Disk(tmp_path)).periods() == [periods[2]]
    verdict = checked(tmp_path, kept)
    assert verdict.problems == []
    assert verdict.pruned == 512
    assert verdict.anchored_to[0].entries == before.entries
    reader = LogReader(tmp_path)
    assert next(iter(reader.entries()))[0] == 512
    with pytest.raises(AuditLogError) as raised:
        reader.entry(5)
    assert raised.value.code == "pruned"
    assert reader.inclusion(5)  # its hash is still provable
    assert reader.entry(index)
    (tmp_path / "tile/entries/002").unlink()
    assert [p.kind for p in checked(tmp_path).problems] == ["removed"]


def test_a_clock_that_steps_back_is_a_warning(tmp_path: Path) -> None:
    times = iter([1_800_000_000.0, 1_800_000_010.0, 1_800_000_005.0, 1_800_000_006.0])
    with AuditLog(tmp_path, KEY, clock=lambda: next(times)) as log:
        log.append(request())
        log.append(request())
    verdict = checked(tmp_path)
    assert verdict.ok
    assert [(w.kind, w.record) for w in verdict.warnings if w.kind == "clock"] == [("clock", 2)]


def test_an_event_that_no_record_can_hold_is_refused_and_leaves_a_mark(tmp_path: Path) -> None:
    with AuditLog(tmp_path, KEY) as log:
        with pytest.raises(AuditError, match="too large"):
            log.append(request(entities={f"ENTITY_{i}": i for i in range(9000)}))
        assert log.append(request()) == 2
    assert json.loads(LogReader(tmp_path).entry(1))["unmapped"] == {"counts": {"unrecordable": 1}}
    assert checked(tmp_path).ok


def test_nothing_of_a_request_reaches_logs_reprs_or_errors(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    event = request()
    with AuditLog(tmp_path, KEY) as log:
        log.append(event)
        shown = repr(log) + repr(event) + repr(KEY) + repr(log.submit(event))
    with pytest.raises(CloisterError) as raised:
        log.append(event)
    assert CANARY not in shown + str(raised.value) + caplog.text
    assert KEY.line.rpartition("+")[2] not in shown
    record = encode(event, 3, 1_800_000_000_000, Digests("2027-01-15", bytes(32)))
    assert CANARY.encode() not in record
