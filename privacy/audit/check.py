"""The checker: reads a log as bytes, rebuilds its tree, and says what is wrong and where.

It shares no code with the writer, so that a mistake in one is seen by the other. What it proves: every record is the
one that was signed, in its place, up to the log's last checkpoint. What only a checkpoint kept elsewhere can prove:
that nothing after it was cut away, and that the log was not made anew by whoever holds its key.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from ... import CloisterError, StorageError
from .check_files import Files, Frame
from .check_notes import Accumulator, Head, Key, hash_children, hash_record, read_head

WIDTH = 256
_PROBLEM_LIMIT = 100
UNANCHORED = "complete only up to what this log claims: no checkpoint kept elsewhere was given"


@dataclass(frozen=True)
class Finding:
    """Something wrong, or worth knowing. Attributes: `kind`, the `record` it is about where one is known, `message`."""

    kind: str
    message: str
    record: int | None = None


@dataclass(frozen=True)
class Anchor:
    """A checkpoint kept elsewhere that the log was found to extend. Attributes: `entries`, who `cosigned` it."""

    entries: int
    cosigned: tuple[str, ...]


@dataclass
class Verdict:
    """What the checker found.

    Attributes:
        entries: records that the log's last checkpoint covers.
        root: hash of the tree over them.
        pruned: records at the beginning of which only hashes are left.
        anchored_to: checkpoints kept elsewhere that hold.
        problems: what is wrong; empty when nothing is.
        warnings: what is not wrong and yet worth knowing.
    """

    entries: int = 0
    root: bytes = b""
    pruned: int = 0
    anchored_to: list[Anchor] = field(default_factory=list)
    problems: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


class _Metadata(msgspec.Struct):
    sequence: int


class _Unmapped(msgspec.Struct):
    minimum_index: int = 0


class _Event(msgspec.Struct):
    time: int
    metadata: _Metadata
    unmapped: _Unmapped = msgspec.field(default_factory=_Unmapped)


_decode = msgspec.json.Decoder(_Event).decode


def verify(folder: Path, keys: Sequence[Key], kept: Sequence[bytes] = ()) -> Verdict:
    """Check a log.

    Args:
        folder: of the log; nothing in it is changed.
        keys: the log's public key, and those of witnesses.
        kept: checkpoints of this log that were kept elsewhere.

    Raises:
        AuditLogError: there is no log at all.
        StorageError: the folder cannot be read.
    """
    try:
        return _Check(Files(folder), list(keys)).run(kept)
    except OSError as error:
        raise StorageError(f"cannot read the audit log: {error.strerror}", hint="check its permissions") from None


class _Check:
    def __init__(self, files: Files, keys: list[Key]) -> None:
        self._files = files
        self._keys = keys
        self._verdict = Verdict()
        self._roots: dict[int, bytes] = {}
        self._last_time = 0
        self._minimum = 0
        self._levels: list[list[bytes]] = []  # hashes of full tiles, level by level from 1
        self._base = 0  # index of the first record that is in no full bundle
        self._tail: list[bytes] = []  # and the records from there on, those of the journal too

    def run(self, kept: Sequence[bytes]) -> Verdict:
        verdict = self._verdict
        head, frames = self._claims()
        anchors = list(self._anchors(kept, head))
        wanted = {h.size for h in (head, *(h for h, _ in frames), *anchors) if h is not None}
        published = head.size if head is not None else 0
        self._walk(published, frames, wanted)
        if head is not None:
            self._compare(head, "rebuilt", "the records do not fit the signed checkpoint: changed, or made anew")
        for one, frame in frames:
            self._compare(one, "rebuilt", f"records {frame.start} to {one.size - 1} do not fit their checkpoint")
        last = max((h for h in (head, *(h for h, _ in frames)) if h is not None), key=lambda h: h.size, default=None)
        if last is not None:
            verdict.entries, verdict.root = last.size, last.root
            for anchor in anchors:
                self._anchor(anchor, last)
        if not kept:
            self._warn("unanchored", UNANCHORED)
        if verdict.pruned > self._minimum:
            self._blame("removed", "records are missing, and no record says that they were pruned", self._minimum)
        for path in self._files.unexpected(self._expected) if head is not None else ():
            if not self._files.changed:
                self._blame("unexpected", f"{path} belongs to no log of this size")
        verdict.problems.sort(key=lambda f: (f.record is None, f.record or 0))
        return verdict

    def _claims(self) -> tuple[Head | None, list[tuple[Head, Frame]]]:
        """The checkpoint in the folder, and those of the journal that go beyond it."""
        head = self._signed(self._files.checkpoint(), "the checkpoint")
        frames: list[tuple[Head, Frame]] = []
        if head is None:
            return None, []  # what the journal continues is not known
        size = head.size
        for frame in self._files.frames(self._blame, self._warn):
            one = self._signed(frame.note, f"the journal's checkpoint of record {size}")
            if one is None or one.size <= size:
                continue
            frame.start = one.size - len(frame.records)
            if frame.start != size:
                self._blame("removed", "records are missing from the journal", size)
            frames.append((one, frame))
            size = one.size
        return head, frames

    def _signed(self, note: bytes, what: str) -> Head | None:
        try:
            head = read_head(note, self._keys)
        except CloisterError as error:
            self._blame("signature", f"{what}: {error.message}")
            return None
        if head.origin not in head.signed:
            self._blame("origin", f"{what} is of another log than the key: {head.origin}")
            return None
        return head

    def _anchors(self, kept: Sequence[bytes], head: Head | None) -> Iterator[Head]:
        for note in kept:
            anchor = self._signed(note, "the kept checkpoint")
            if anchor is None:
                continue
            if head is not None and anchor.origin != head.origin:
                self._blame("origin", f"the kept checkpoint is of another log: {anchor.origin}")
                continue
            yield anchor

    def _anchor(self, anchor: Head, last: Head) -> None:
        size = last.size
        if anchor.size > size:
            self._blame(
                "cut", f"the kept checkpoint covers {anchor.size} records, the log has {size}: its end is missing", size
            )
        elif self._roots.get(anchor.size) != anchor.root:
            self._blame(
                "forked" if anchor.size == size else "rebuilt",
                f"the first {anchor.size} records are not those that the kept checkpoint covers",
            )
        else:
            self._verdict.anchored_to.append(Anchor(anchor.size, anchor.cosigned))

    def _compare(self, head: Head, kind: str, message: str) -> None:
        if self._roots.get(head.size) != head.root:
            self._blame(kind, message)

    def _walk(self, published: int, frames: list[tuple[Head, Frame]], wanted: set[int]) -> None:
        """Hash every record in order; remember the root at each size that somebody signed."""
        tree = Accumulator()
        self._roots = {0: tree.root()} if 0 in wanted else {}
        full: list[bytes] = []

        def add(value: bytes) -> None:
            tree.add(value)
            if tree.count in wanted:
                self._roots[tree.count] = tree.root()

        for number in range((published + WIDTH - 1) // WIDTH):
            hashes = self._bundle(number, min(WIDTH, published - number * WIDTH))
            for value in hashes:
                add(value)
            if len(hashes) == WIDTH:
                full.append(_perfect(hashes))
        for _, frame in frames:
            for offset, record in enumerate(frame.records):
                self._event(tree.count, record, f"record {frame.start + offset} of the journal")
                add(hash_record(record))
            self._tail += frame.records
        self._base = len(full) * WIDTH
        self._check_levels(full + _pyramid([hash_record(record) for record in self._tail]), published // WIDTH)

    def _bundle(self, number: int, width: int) -> list[bytes]:
        """Hashes of a bundle's records, compared with the tile of hashes beside it."""
        first = number * WIDTH
        tile = self._files.hashes(0, number, width)
        if len(tile) != width:
            self._blame("missing", f"hashes of records {first} to {first + width - 1} are missing or damaged", first)
        bundle = self._files.records(number, width)
        if bundle is None:
            if width < WIDTH or self._verdict.pruned != first:
                self._blame("removed", f"records {first} to {first + width - 1} are missing", first)
            else:
                self._verdict.pruned = first + width
            return tile[:width]
        records, whole = bundle
        hashes = [hash_record(record) for record in records]
        if not whole:
            self._blame(
                "edited", f"the bundle is damaged after record {first + len(records) - 1}", first + len(records)
            )
        if hashes != tile and len(tile) == width:
            self._blame(*_difference(hashes, tile, first))
        for offset, record in enumerate(records):
            self._event(first + offset, record)
        if width < WIDTH:
            self._tail = records
        # A missing or surplus record must not shift those of the next bundle, which may be in order.
        return (hashes + tile[len(hashes) :])[:width]

    def _event(self, index: int, record: bytes, what: str = "") -> None:
        try:
            event = _decode(record)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self._blame("edited", f"{what or f'record {index}'} is not an event", index)
            return
        if event.metadata.sequence != index:
            self._blame("reordered", f"record {index} says that it is number {event.metadata.sequence}", index)
        if event.time < self._last_time:
            self._warn("clock", f"the clock stepped back before record {index}", index)
        self._last_time = event.time
        self._minimum = max(self._minimum, event.unmapped.minimum_index)

    def _check_levels(self, hashes: list[bytes], published: int) -> None:
        """Tiles above the lowest level, rebuilt from below; the first `published` hashes must be in the folder."""
        level = 1
        while hashes:
            self._levels.append(hashes)
            for number in range((published + WIDTH - 1) // WIDTH):
                part = hashes[number * WIDTH : min((number + 1) * WIDTH, published)]
                if self._files.hashes(level, number, len(part)) != part:
                    self._blame("edited", f"tile {number} of level {level} does not fit the records below it")
            hashes, level, published = _pyramid(hashes), level + 1, published // WIDTH

    def _expected(self, level: str, number: int, width: int) -> bytes:
        """A tile that a writer may have written ahead of its checkpoint: it holds what is in the journal."""
        start = number * WIDTH
        if level in ("entries", "0"):
            at = start - self._base
            records = self._tail[at : at + width] if at >= 0 else []
            if level == "0":
                return b"".join(map(hash_record, records))
            return b"".join(len(record).to_bytes(2, "big") + record for record in records)
        row = self._levels[int(level) - 1] if int(level) <= len(self._levels) else []
        return b"".join(row[start : start + width])

    def _blame(self, kind: str, message: str, record: int | None = None) -> None:
        if len(self._verdict.problems) < _PROBLEM_LIMIT:
            self._verdict.problems.append(Finding(kind, message, record))

    def _warn(self, kind: str, message: str, record: int | None = None) -> None:
        if len(self._verdict.warnings) < _PROBLEM_LIMIT:
            self._verdict.warnings.append(Finding(kind, message, record))


def _difference(found: list[bytes], signed: list[bytes], first: int) -> tuple[str, str, int]:
    """What happened to records whose hashes are `found` where the tile says `signed`."""
    at = next((i for i, (a, b) in enumerate(zip(found, signed, strict=False)) if a != b), min(len(found), len(signed)))
    index = first + at
    if found[at:] == signed[at + 1 :]:
        return "removed", f"record {index} was removed", index
    if found[at + 1 : at + 2] == signed[at : at + 1] and len(found) >= len(signed):
        return "inserted", f"record {index} was inserted", index
    if sorted(found) == sorted(signed):
        return "reordered", f"records from {index} on were put in another order", index
    if found[at : at + 1] == signed[at + 1 : at + 2] and found[at : at + 1]:
        return "removed", f"record {index} was removed", index
    return "edited", f"record {index} was changed, or its hash was", index


def _pyramid(hashes: list[bytes]) -> list[bytes]:
    """Hashes of the full tiles that lie in a row."""
    return [_perfect(hashes[i : i + WIDTH]) for i in range(0, len(hashes) - WIDTH + 1, WIDTH)]


def _perfect(hashes: list[bytes]) -> bytes:
    while len(hashes) > 1:
        hashes = [hash_children(hashes[i], hashes[i + 1]) for i in range(0, len(hashes), 2)]
    return hashes[0]
