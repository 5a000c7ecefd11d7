"""A log as others see it: opened without a key, nothing is written, also while another process appends to it."""

import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from ... import AuditLogError
from . import checkpoint, journal, paths
from .merkle import Tree, consistency, inclusion, leaf_hash, range_hash, tree_hash
from .storage import Disk, Storage

_ATTEMPTS = 20
_HINT = "check the path; `cloister audit verify` says what is wrong with a damaged log"


class LogReader:
    """A log at one moment.

    Args:
        folder: of the log.
        storage: instead of the folder on disk; for tests.

    Attributes:
        head: the latest checkpoint, parsed. Its signature is not looked at: `verify` does that.
        note: its bytes.

    Raises:
        AuditLogError: there is no log, or it is damaged.
        StorageError: it cannot be read.
    """

    def __init__(self, folder: str | os.PathLike[str], *, storage: Storage | None = None) -> None:
        self._storage = Disk(Path(folder)) if storage is None else storage
        for _ in range(_ATTEMPTS):
            # The writer may bring records into tiles between two reads of ours; then what we read first is out of date.
            if self._take():
                break
        else:
            raise AuditLogError("the log's parts do not fit together", hint=_HINT)
        self._tile = lru_cache(64)(self._read_tile)

    def _take(self) -> bool:
        starts = [s for n in self._storage.names(paths.JOURNAL) if (s := paths.journal_start(n)) is not None]
        journals = [journal.read(self._storage.read(paths.journal(start)) or b"") for start in starts]
        note = self._storage.read(paths.CHECKPOINT)
        if note is None:
            raise AuditLogError("there is no audit log at the given path", hint=_HINT, code="audit_log_not_found")
        self._published = checkpoint.parse(note).size
        self._recent: list[bytes] = []
        for found in journals:
            for frame in found.frames:
                size = checkpoint.parse(frame.checkpoint).size
                if size <= self._published + len(self._recent):
                    continue
                if size - len(frame.entries) != self._published + len(self._recent):
                    return False
                self._recent += frame.entries
                note = frame.checkpoint
        self.note = note
        self.head = checkpoint.parse(note)
        width = self._published % paths.TILE_WIDTH
        self._base = self._published - width
        tail = b""
        if width:
            tail = self._storage.read(paths.tile(paths.ENTRIES, self._published // paths.TILE_WIDTH, width)) or b""
        entries = journal.unpack_entries(tail)
        if entries is None or len(entries) != width:
            return False
        self._recent = [*entries, *self._recent]
        return True

    def entries(self, start: int = 0, end: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Index and bytes of the records in `[start, end)`; those that were pruned are left out.

        Raises:
            AuditLogError: a bundle is damaged.
        """
        last = self.head.size if end is None else min(end, self.head.size)
        for number in range(start // paths.TILE_WIDTH, self._base // paths.TILE_WIDTH):
            first = number * paths.TILE_WIDTH
            if first >= last:
                return
            data = self._storage.read(paths.tile(paths.ENTRIES, number))
            if data is None:
                continue  # pruned
            found = journal.unpack_entries(data)
            if found is None or len(found) != paths.TILE_WIDTH:
                raise AuditLogError("a bundle of records is damaged", hint=_HINT)
            yield from ((first + i, e) for i, e in enumerate(found) if start <= first + i < last)
        yield from ((self._base + i, e) for i, e in enumerate(self._recent) if start <= self._base + i < last)

    def entry(self, index: int) -> bytes:
        """One record. Raises AuditLogError where there is none, or it was pruned."""
        self._check(index)
        for _, entry in self.entries(index, index + 1):
            return entry
        raise AuditLogError("the record was pruned", hint="only its hash is left", code="pruned")

    def inclusion(self, index: int) -> list[bytes]:
        """Proof that a record is under the latest checkpoint (RFC 6962, section 2.1.1). Raises AuditLogError."""
        self._check(index)
        return inclusion(index, self.head.size, self._subtree)

    def consistency(self, size: int) -> list[bytes]:
        """Proof that the log extends itself at a smaller size (RFC 6962, section 2.1.2). Raises AuditLogError."""
        if not 0 <= size <= self.head.size:
            raise AuditLogError("the log is not that large", hint=f"it has {self.head.size} records")
        return consistency(size, self.head.size, self._subtree)

    def root(self, size: int) -> bytes:
        """Hash of the tree over the first `size` records, at least one. Raises AuditLogError."""
        return range_hash(0, size, self._subtree) if size else Tree().root()

    def _check(self, index: int) -> None:
        if not 0 <= index < self.head.size:
            raise AuditLogError("the log has no record of that number", hint=f"it has {self.head.size}, from 0")

    def _subtree(self, start: int, end: int) -> bytes:
        """A perfect subtree from the highest tiles that have it."""
        if end > self._base:
            if start >= self._base:
                recent = self._recent[start - self._base : end - self._base]
                return tree_hash([leaf_hash(entry) for entry in recent])
            middle = (start + end) // 2
            return tree_hash([self._subtree(start, middle), self._subtree(middle, end)])
        level = ((end - start).bit_length() - 1) // 8
        unit = 1 << (8 * level)
        first, last = start // unit, end // unit
        index = first // paths.TILE_WIDTH
        hashes = self._tile(level, index)
        at = first % paths.TILE_WIDTH
        return tree_hash(hashes[at : at + last - first])

    def _read_tile(self, level: int, index: int) -> list[bytes]:
        width = min((self._published >> (8 * level)) - index * paths.TILE_WIDTH, paths.TILE_WIDTH)
        data = self._storage.read(paths.tile(level, index, width))
        if data is None and width < paths.TILE_WIDTH:
            data = self._storage.read(paths.tile(level, index))  # it became full meanwhile
        if data is None or len(data) < width * 32:
            raise AuditLogError("a tile of hashes is missing or damaged", hint=_HINT)
        return [data[i : i + 32] for i in range(0, width * 32, 32)]


def parsed(reader: LogReader, start: int = 0) -> Iterator[tuple[int, dict[str, Any]]]:
    """Index and JSON of every record from `start`. Raises AuditLogError."""
    for index, entry in reader.entries(start):
        try:
            event = msgspec.json.decode(entry)
        except msgspec.DecodeError:
            event = None
        if not isinstance(event, dict):
            raise AuditLogError(f"record {index} is not an event", hint=_HINT)
        yield index, event
