"""The log on disk: records go into the journal first, and later, many at once, into tiles that others' tools can read.

Used by one thread at a time. After an error the object no longer knows what is on disk: `recover` reads it again.

What is durable when:

- `commit` returns when the records and a signed checkpoint over them are in the journal.
- `publish` writes tiles and the checkpoint file, and only then lets go of the journal they replace. A crash anywhere
  in it leaves either the journal or what replaces it.
"""

from collections.abc import Iterator, Sequence

from ... import AuditLogError, SignatureInvalid
from ..notes import SecretKey
from . import checkpoint, journal, paths
from .merkle import Tree, leaf_hash
from .storage import Appender, Storage

_DAMAGED = "run `cloister audit verify` on it, and start a new log in another folder"


class LogStore:
    """A log's records, tree and journal.

    Args:
        storage: the log's folder.
        key: signs checkpoints; its name is the log's origin.

    Attributes:
        checkpoint: the latest, over all records that `commit` took.
        published: how many records the tiles hold.
    """

    def __init__(self, storage: Storage, key: SecretKey) -> None:
        self._storage = storage
        self._key = key
        self._journal: Appender | None = None
        self._reset(Tree(), [])
        self.published = 0
        self.checkpoint = b""
        self._durable: set[str] = set()  # folders whose names are known to be durable

    def _reset(self, tree: Tree, tail: list[bytes]) -> None:
        self._tree = tree
        self._tail = tail  # records since the last full bundle
        self._full: list[tuple[str, bytes]] = []  # full tiles and bundles that are not on disk yet
        self._written = {path for path, _ in self._partial()}  # what the published checkpoint needs, and nobody touches

    @property
    def size(self) -> int:
        """Records."""
        return self._tree.size

    def recover(self) -> int:
        """Read what is on disk, put everything durable into tiles, begin a new journal.

        Returns:
            Bytes of a torn write that were dropped; they were never acknowledged.

        Raises:
            AuditLogError: damaged, of another key, or parts are missing; nothing was changed then.
            OSError: the storage refused.
        """
        self._close_journal()
        self._durable.clear()
        published = self._storage.read(paths.CHECKPOINT)
        self._restore(published)
        dropped = self._replay()
        for folder in (paths.JOURNAL, paths.PERIODS):
            self._storage.make_folder(folder)
        self._storage.sync_folder(paths.PERIODS)
        self._publish()
        return dropped

    def _restore(self, published: bytes | None) -> None:
        if published is None:
            if self._storage.names("tile") or self._storage.names(paths.JOURNAL):
                raise AuditLogError("the log has no checkpoint", hint=_DAMAGED)
            self._reset(Tree(), [])
            self.published = 0
            return
        head = self._opened(published)
        tree = Tree.restored(head.size, self._read_tile)
        if tree.root() != head.root:
            raise AuditLogError("the log's hashes do not fit its checkpoint", hint=_DAMAGED)
        width = head.size % paths.TILE_WIDTH
        bundle = self._read_tile(paths.ENTRIES, head.size // paths.TILE_WIDTH, width) if width else b""
        tail = journal.unpack_entries(bundle)
        if tail is None or len(tail) != width:
            raise AuditLogError("the log's last records are damaged", hint=_DAMAGED)
        self._reset(tree, tail)
        self.published = head.size
        self.checkpoint = published

    def _opened(self, note: bytes) -> checkpoint.Checkpoint:
        try:
            head = checkpoint.opened(note, [self._key.public])
        except SignatureInvalid:
            raise AuditLogError(
                "the log was not written with this key, or its checkpoint was changed",
                hint="give the key the log was begun with, or start a new log in another folder",
            ) from None
        if head.origin != self._key.name:
            raise AuditLogError("the log has another origin than the key", hint="give the log's own key")
        return head

    def _read_tile(self, level: int | str, index: int, width: int) -> bytes:
        data = self._storage.read(paths.tile(level, index, width))
        if data is None:
            raise AuditLogError("a tile of the log is missing", hint=_DAMAGED)
        return data

    def _replay(self) -> int:
        """Take in what the journals hold beyond the tiles."""
        starts = [s for n in self._storage.names(paths.JOURNAL) if (s := paths.journal_start(n)) is not None]
        dropped = 0
        for number, start in enumerate(starts, 1):
            found = journal.read(self._storage.read(paths.journal(start)) or b"")
            if found.damaged or (found.torn and number < len(starts)):
                raise AuditLogError("the log's journal is damaged", hint=_DAMAGED)
            dropped = found.torn
            for frame in found.frames:
                self._take(frame)
        return dropped

    def _take(self, frame: journal.Frame) -> None:
        head = self._opened(frame.checkpoint)
        if head.size <= self.published:
            return  # already in tiles: the crash came before the journal was removed
        if head.size - len(frame.entries) != self.size:
            raise AuditLogError("records are missing from the log's journal", hint=_DAMAGED)
        self._add(frame.entries)
        if self._tree.root() != head.root:
            raise AuditLogError("the log's journal does not fit its checkpoints", hint=_DAMAGED)
        self.checkpoint = frame.checkpoint

    def _add(self, records: Sequence[bytes]) -> None:
        for record in records:
            self._tree.append(leaf_hash(record))
            self._tail.append(record)
            if len(self._tail) == paths.TILE_WIDTH:
                bundle = journal.pack_entries(self._tail)
                self._full.append((paths.tile(paths.ENTRIES, self.size // paths.TILE_WIDTH - 1), bundle))
                self._tail = []
        self._full += [(paths.tile(level, index), data) for level, index, data in self._tree.take_finished()]

    def commit(self, records: Sequence[bytes]) -> None:
        """Return when the records are durable, in order, under a signed checkpoint.

        Raises:
            OSError: the storage refused; call `recover`.
        """
        if self._journal is None:
            raise OSError("the journal is not open")
        self._add(records)
        note = checkpoint.sign(self._key, self.size, self._tree.root())
        self._journal.write(journal.encode(records, note))
        self._journal.sync()
        self.checkpoint = note

    def publish(self) -> None:
        """Bring everything committed into tiles and the checkpoint file, and begin a new journal. Raises OSError."""
        if self.size > self.published:
            self._publish()

    def _publish(self) -> None:
        self._write_tiles()
        if not self.size:
            self.checkpoint = checkpoint.sign(self._key, self.size, self._tree.root())
        self._storage.write(paths.CHECKPOINT_NEW, self.checkpoint)
        self._storage.sync(paths.CHECKPOINT_NEW)
        self._storage.rename(paths.CHECKPOINT_NEW, paths.CHECKPOINT)
        self._storage.sync_folder("")
        self._begin_journal()
        self.published = self.size
        self._written = {path for path, _ in self._partial()}
        self._full = []

    def _write_tiles(self) -> None:
        changed: set[str] = set()
        for path, data in [*self._full, *self._partial()]:
            if path in self._written:
                continue
            changed |= self._make_folders(paths.folder_of(path))
            self._storage.write(path, data)
            self._storage.sync(path)
        for folder in sorted(changed):
            self._storage.sync_folder(folder)

    def _make_folders(self, path: str) -> set[str]:
        """Make a folder and those above it; returns the folders with names in them that are not durable yet.

        A folder that is there may have been made by a process that was killed before it could make the name durable.
        """
        changed = {path}
        while path and path not in self._durable:
            self._durable.add(path)
            path = paths.folder_of(path)
            changed.add(path)
        for folder in sorted(changed - {""}):
            self._storage.make_folder(folder)
        return changed

    def _partial(self) -> Iterator[tuple[str, bytes]]:
        width = len(self._tail)
        if width:
            index = self.size // paths.TILE_WIDTH
            yield paths.tile(paths.ENTRIES, index, width), journal.pack_entries(self._tail)
        for level, index, data in self._tree.unfinished():
            yield paths.tile(level, index, len(data) // 32), data

    def _begin_journal(self) -> None:
        self._close_journal()
        current = paths.journal(self.size)
        self._journal = self._storage.append(current)
        self._storage.sync_folder(paths.JOURNAL)
        # From here on only what nobody needs any more is removed, so none of it has to be durable.
        for name in self._storage.names(paths.JOURNAL):
            start = paths.journal_start(name)
            if start is not None and start < self.size:
                self._storage.remove(paths.journal(start))
        self._remove_stale()

    def _remove_stale(self) -> None:
        """Partial tiles of smaller trees, which the specification lets go once there are wider ones."""
        for path, _ in self._full:
            for width in self._storage.names(f"{path}.p"):
                self._storage.remove(f"{path}.p/{width}")
            self._storage.remove_folder(f"{path}.p")
        for path, _ in self._partial():
            folder, _, current = path.rpartition("/")
            for width in self._storage.names(folder):
                if width != current:
                    self._storage.remove(f"{folder}/{width}")

    def close(self) -> None:
        """Publish and let go of the journal. Raises OSError."""
        self.publish()
        self._close_journal()

    def _close_journal(self) -> None:
        if self._journal is not None:
            self._journal.close()
            self._journal = None
