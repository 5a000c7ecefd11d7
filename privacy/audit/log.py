"""The audit log of a service: a record is on disk before `append` returns, and one fsync serves all that wait."""

import contextlib
import fcntl
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from ... import AuditError, AuditLogError, CloisterError, StorageError
from ..keyfiles import read_secret_key, write_key_pair
from ..notes import PublicKey, SecretKey
from . import paths
from .events import Event, Lifecycle, Retention, Summary, encode
from .journal import ENTRY_LIMIT
from .keys import PeriodKeys
from .retention import bundles_before, remove_bundles
from .storage import Disk, Storage
from .store import LogStore

PUBLISH_SECONDS = 5.0
PUBLISH_RECORDS = 4096
GROUP_LIMIT = 2048
GATHER_SECONDS = 0.0005
"""A group that begins smaller than the last one was waits this long for company: a signature, a write and an fsync for
each record alone would cost a busy service more than the wait. Where records come one by one, none waits."""
_RETRY_SECONDS = 1.0

_FULL_HINT = "free space on the disk of the audit log, or see its permissions; requests are refused until then"


@dataclass(slots=True)
class _Slot:
    """A record on its way to disk; its place in the log is taken when it is made."""

    future: "Future[int]" = field(default_factory=Future)
    index: int = -1
    record: bytes | None = None


class AuditLog:
    """An append-only, tamper-evident log. Safe to call from threads; one writer at a time per folder.

    Args:
        folder: of the log; made when it is not there.
        key: signs the log's checkpoints, and its name is the log's origin. Without one the log's own `audit.key` is
            used, made on first use.
        clock: seconds since 1970.
        storage: instead of the folder on disk; for tests.

    Attributes:
        made_key: whether `audit.key` was made just now. A key beside the log protects it only from those who cannot
            read the folder.

    Raises:
        AuditLogError: damaged, of another key, or another process writes to it.
        StorageError: the folder cannot be made, read or written.
        KeyFileError: the log's key file cannot be used.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        key: SecretKey | None = None,
        *,
        clock: Callable[[], float] = time.time,
        storage: Storage | None = None,
    ) -> None:
        root = Path(folder)
        self._clock = clock
        self._lock = threading.Lock()
        self._wake = threading.Condition(self._lock)
        self._slots: deque[_Slot] = deque()
        self._broken: str | None = None
        self._closed = False
        self._idle = False
        self._last_group = 1
        with contextlib.ExitStack() as undo:
            with _system_errors():
                if storage is None:
                    _make_durable_folder(root)
                    self._lock_file = undo.enter_context(_locked(root))
                self._storage = Disk(root) if storage is None else storage
            self.made_key = key is None and not (root / paths.AUDIT_KEY).exists()
            self._key = key if key is not None else _own_key(root, make=self.made_key)
            self._store = LogStore(self._storage, self._key)
            self._periods = PeriodKeys(self._storage)
            with _system_errors():
                dropped = self._store.recover()
            self._next = self._durable = self._store.size
            self._unlock = undo.pop_all()
        self._committer = threading.Thread(target=self._run, name="cloister-audit", daemon=True)
        self._committer.start()
        try:
            self.append(Lifecycle(started=True, dropped_bytes=dropped))
        except CloisterError:
            self._stop()
            self._unlock.close()
            raise

    def __repr__(self) -> str:
        return f"<AuditLog {self.origin} of {self.size} records>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def origin(self) -> str:
        """The log's name, that of its key."""
        return self._key.name

    @property
    def public_key(self) -> PublicKey:
        """What checks the log's checkpoints."""
        return self._key.public

    @property
    def size(self) -> int:
        """Records that are durable."""
        return self._durable

    def checkpoint(self) -> bytes:
        """The latest signed checkpoint. Kept elsewhere, it proves later that nothing before it was changed."""
        return self._store.checkpoint

    def append(self, event: Event) -> int:
        """Record an event; returns its index once it is on disk. Raises AuditError when it cannot be."""
        return self.submit(event).result()

    def submit(self, event: Event) -> "Future[int]":
        """Begin to record an event. The future gives its index once it is on disk, or raises AuditError.

        Raises:
            AuditError: the log is closed, or its disk refuses at the moment.
        """
        slot = _Slot()
        slot.future.set_running_or_notify_cancel()  # whoever stops waiting cannot take the record back
        with self._lock:
            if self._closed:
                raise AuditError("the audit log is closed", hint="open it again")
            if self._broken is not None:
                raise AuditError(f"the audit log cannot be written: {self._broken}", hint=_FULL_HINT)
            now = round(self._clock() * 1000)
            try:
                digests = self._periods.digests(now)
            except OSError as error:
                raise AuditError(f"the audit log cannot be written: {_reason(error)}", hint=_FULL_HINT) from None
            slot.index, self._next = self._next, self._next + 1
            self._slots.append(slot)
        # Outside of the lock: a digest of a large body takes milliseconds, and nobody else need wait for it.
        record = None
        try:
            record = encode(event, slot.index, now, digests)
        finally:
            usable = record is not None and len(record) <= ENTRY_LIMIT
            # The place in the log is taken, so that something must stand there, and say that something is missing.
            slot.record = record if usable else encode(Summary(0, {"unrecordable": 1}), slot.index, now, digests)
            if self._idle:
                with self._lock:
                    self._wake.notify()
        if not usable:
            raise AuditError("the event is too large for a record", hint="report this as a bug")
        return slot.future

    def _run(self) -> None:
        due: float | None = None
        while True:
            with self._lock:
                while not self._ready():
                    if self._closed:
                        return
                    left = None if due is None else due - time.monotonic()
                    if left is not None and left <= 0:
                        break
                    self._idle = True  # before the last look at the slots, so that no wake-up is lost
                    if self._ready():
                        break
                    if not self._wake.wait(_RETRY_SECONDS if self._broken is not None else left):
                        break
                self._idle = False
                gather = 0 < len(self._slots) < self._last_group and not self._closed
            if gather:
                time.sleep(GATHER_SECONDS)
            with self._lock:
                broken = self._broken is not None
                group = [] if broken else [self._slots.popleft() for _ in range(self._ready())]
            if broken:
                self._recover()
                due = None
                continue
            if group:
                self._commit(group)
                due = due or time.monotonic() + PUBLISH_SECONDS
            if due is not None and (time.monotonic() >= due or self._unpublished() >= PUBLISH_RECORDS):
                self._publish()
                due = None

    def _ready(self) -> int:
        count = 0
        for slot in self._slots:
            if slot.record is None or count == GROUP_LIMIT:
                break
            count += 1
        return count

    def _unpublished(self) -> int:
        return self._store.size - self._store.published

    def _commit(self, group: list[_Slot]) -> None:
        try:
            self._store.commit([slot.record for slot in group if slot.record is not None])
        except OSError as error:
            self._fail(group, _reason(error))
            return
        self._durable = self._store.size
        self._last_group = len(group)
        for slot in group:
            slot.future.set_result(slot.index)

    def _publish(self) -> None:
        try:
            self._store.publish()
        except OSError as error:
            self._fail([], _reason(error))

    def _fail(self, group: list[_Slot], reason: str) -> None:
        """Nothing that waits can be recorded: what is on disk is unknown until it is read again."""
        with self._lock:
            self._broken = reason
            waiting = [*group, *self._slots]
            self._slots.clear()
        error = AuditError(f"the audit log cannot be written: {reason}", hint=_FULL_HINT)
        for slot in waiting:
            slot.future.set_exception(error)

    def _recover(self) -> None:
        self._fail([], self._broken or "")
        try:
            self._store.recover()
        except (OSError, CloisterError) as error:
            self._fail([], _reason(error))
            return
        with self._lock:
            self._next = self._durable = self._store.size
            self._broken = None

    def retire(self, *, periods_before: str | None = None, records_before: int | None = None) -> Retention:
        """Delete what is past its time: keys of periods, and records. What is deleted is recorded first.

        Args:
            periods_before: keys of periods before this UTC date go, and with them the meaning of their digests.
            records_before: milliseconds since 1970; full bundles whose records are all older go. The hashes stay, so
                that proofs of what remains, and old checkpoints, stay valid.

        Returns:
            What was deleted.

        Raises:
            AuditError, StorageError: nothing, or not all of it, was deleted.
        """
        with _system_errors():
            periods = [p for p in self._periods.periods() if periods_before is not None and p < periods_before]
            minimum, bundles = bundles_before(self._storage, self._store.published, records_before)
            retention = Retention(tuple(periods), minimum)
            if periods or bundles:
                self.append(retention)
                with self._lock:
                    self._periods.delete(periods)
                remove_bundles(self._storage, bundles)
        return retention

    def close(self) -> None:
        """Record the end, bring everything into tiles and let go of the folder. Raises AuditError."""
        if self._closed:
            return
        failure: CloisterError | None = None
        try:
            self.append(Lifecycle(started=False))
        except AuditError as error:
            failure = error
        self._stop()
        try:
            with _system_errors():
                self._store.close()
        finally:
            self._unlock.close()
        if failure is not None:
            raise failure

    def _stop(self) -> None:
        with self._lock:
            self._closed = True
            self._wake.notify()
        self._committer.join()


def _own_key(root: Path, *, make: bool) -> SecretKey:
    if make:
        fresh = SecretKey.generate(f"cloister-{os.urandom(4).hex()}")
        write_key_pair(root / paths.AUDIT_KEY, root / paths.AUDIT_PUBLIC_KEY, fresh)
    return read_secret_key(root / paths.AUDIT_KEY)


def _make_durable_folder(root: Path) -> None:
    if root.is_dir():
        return
    if root.exists():
        raise AuditLogError("the path of the audit log is not a folder", hint="choose another path")
    root.mkdir(mode=0o700)
    Disk(root.parent).sync_folder("")


@contextlib.contextmanager
def _locked(root: Path) -> Iterator[int]:
    descriptor = os.open(root / paths.LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AuditLogError(
                "another process writes to this audit log", hint="stop it first, or use another folder", code="locked"
            ) from None
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _system_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"cannot use the audit log: {_reason(error)}", hint="check free space, permissions and the path"
        ) from None


def _reason(error: OSError | CloisterError) -> str:
    if isinstance(error, CloisterError):
        return error.message
    return error.strerror or str(error) or type(error).__name__
