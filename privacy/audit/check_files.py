"""The files of a log as the checkers see them. Shares no code with the writer; FORMAT.md is what both follow."""

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ... import AuditLogError

_HEAD = 40
_ATTEMPTS = 50
_JOURNAL = re.compile(r"[0-9]{20}\Z")
_TILE = re.compile(r"tile/(?P<level>entries|[0-9])/(?P<number>(x[0-9]{3}/)*[0-9]{3})(\.p/(?P<width>[0-9]{1,3}))?\Z")
_OTHER_FILES = re.compile(r"(checkpoint(\.new)?|lock|audit\.(key|pub)|journal|tile|periods)\Z")

Report = Callable[[str, str, int | None], None]


@dataclass
class Frame:
    """What one group commit wrote. Attributes: `records`, the signed `note` over them, `start` the first's index."""

    records: list[bytes]
    note: bytes
    start: int = 0


class Files:
    """A log's folder. Links are not followed.

    Raises:
        AuditLogError: there is no log.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        if not root.is_dir() or not ((root / "checkpoint").exists() or (root / "tile").exists()):
            raise AuditLogError(
                "there is no audit log at the given path", hint="check the path", code="audit_log_not_found"
            )
        self._used: set[str] = set()
        self._kept: dict[str, bytes | None] = {}
        for _ in range(_ATTEMPTS):
            # While a service writes, all but full tiles may be replaced at any moment: they are read at one.
            self._kept = self._snapshot()
            # A journal goes once its records are in tiles, which may be after the checkpoint says so.
            if self._on_disk("checkpoint") == self._kept["checkpoint"] and self._journals() == self._listed():
                break

    def _snapshot(self) -> dict[str, bytes | None]:
        found = {"checkpoint": self._on_disk("checkpoint")}
        lines = (found["checkpoint"] or b"").split(b"\n")
        size = int(lines[1]) if len(lines) > 1 and lines[1].isdigit() and len(lines[1]) < 20 else 0
        names = [f"journal/{name}" for name in self._journals()]
        for level in range(8):
            number, width = divmod(size >> (8 * level), 256)
            if width:
                names.append(_tile(str(level), number, width))
                names += [_tile("entries", number, width)] if level == 0 else []
        return found | {name: self._on_disk(name) for name in names}

    @property
    def changed(self) -> bool:
        """Whether the log was written to since it was opened here."""
        return self._snapshot() != self._kept

    def _listed(self) -> list[str]:
        return [name.removeprefix("journal/") for name in self._kept if name.startswith("journal/")]

    def _journals(self) -> list[str]:
        folder = self._root / "journal"
        return sorted(p.name for p in folder.iterdir()) if folder.is_dir() and not folder.is_symlink() else []

    def checkpoint(self) -> bytes:
        """The published checkpoint; empty where there is none."""
        return self._read("checkpoint") or b""

    def hashes(self, level: int, number: int, width: int) -> list[bytes]:
        """Hashes of a tile; none where there is no tile of that width."""
        data = self._read(_tile(str(level), number, width))
        if data is None or len(data) != 32 * width:
            return []
        return [data[i : i + 32] for i in range(0, len(data), 32)]

    def records(self, number: int, width: int) -> tuple[list[bytes], bool] | None:
        """Records of a bundle as far as the lengths in it make sense, and whether they all do; None without one."""
        data = self._read(_tile("entries", number, width))
        return None if data is None else _records(data)

    def frames(self, blame: Report, warn: Report) -> Iterator[Frame]:
        """What the journals hold, oldest first."""
        names = self._listed()
        for name in names:
            self._used.add(f"journal/{name}")
            data = self._read(f"journal/{name}") if _JOURNAL.match(name) else None
            if data is None:
                blame("unexpected", "the journal's folder has a file that is no journal", None)
                continue
            at = 0
            while at < len(data):
                frame, end = _frame(data, at)
                if frame is None:
                    break
                yield frame
                at = end
            if at < len(data):
                later = any(_frame(data, i)[0] is not None for i in _places(data, at + 1))
                if later or name != names[-1]:
                    blame("edited", "the journal is damaged before its end", None)
                else:
                    warn(
                        "torn",
                        f"the journal ends with {len(data) - at} bytes of a write that did not finish; "
                        "a crash leaves such bytes, and they were never acknowledged",
                        None,
                    )

    def unexpected(self, expected: Callable[[str, int, int], bytes]) -> Iterator[str]:
        """Files that the log does not have, links among them.

        Allowed for are tiles of an earlier, smaller tree, and those a writer wrote ahead of its checkpoint, whole or,
        as a crash leaves them, in part.

        Args:
            expected: bytes of a tile by level, number and width; fewer where the records do not reach that far.
        """
        for path in self._walk():
            name = path.relative_to(self._root).as_posix()
            if name in self._used:
                continue
            top = name.partition("/")[0]
            if not os.path.lexists(path):
                continue  # a writer removed it meanwhile
            if top == "tile":
                data = self._on_disk(name)
                if data is None or not (self._is_narrower(name, data) or _begins(name, data, expected)):
                    yield name
            elif top == "journal" or path.is_symlink() or not _OTHER_FILES.match(top):
                yield name

    def _walk(self) -> Iterator[Path]:
        """All that is no folder. Unlike `Path.rglob`, it goes on where a writer removes a folder meanwhile."""
        for folder, folders, files in os.walk(self._root):
            here = Path(folder)
            folders.sort()
            yield from sorted(here / name for name in (*files, *folders) if name in files or (here / name).is_symlink())

    def _is_narrower(self, name: str, data: bytes) -> bool:
        """Whether a partial tile is the beginning of one that belongs to the log."""
        base, dot, _ = name.rpartition(".p/")
        wider = [u for u in self._used if dot and (u == base or u.startswith(f"{base}.p/"))]
        return any((self._read(u) or b"").startswith(data) for u in wider)

    def _read(self, name: str) -> bytes | None:
        data = self._kept[name] if name in self._kept else self._on_disk(name)
        if data is not None:
            self._used.add(name)
        return data

    def _on_disk(self, name: str) -> bytes | None:
        path = self._root / name
        try:
            return None if path.is_symlink() or not path.is_file() else path.read_bytes()
        except FileNotFoundError:
            return None


def _tile(level: str, number: int, width: int) -> str:
    digits = f"{number:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
    name = "/".join([*(f"x{g}" for g in groups[:-1]), groups[-1]])
    return f"tile/{level}/{name}" + ("" if width == 256 else f".p/{width}")


def _begins(name: str, data: bytes, expected: Callable[[str, int, int], bytes]) -> bool:
    found = _TILE.match(name)
    if found is None:
        return False
    number = int("".join(c for c in found["number"] if c.isdigit()))
    width = int(found["width"] or 256)
    return name == _tile(found["level"], number, width) and expected(found["level"], number, width).startswith(data)


def _records(data: bytes) -> tuple[list[bytes], bool]:
    records: list[bytes] = []
    at = 0
    while at + 2 <= len(data):
        size = data[at] << 8 | data[at + 1]
        if at + 2 + size > len(data):
            return records, False
        records.append(data[at + 2 : at + 2 + size])
        at += 2 + size
    return records, at == len(data)


def _places(data: bytes, start: int) -> Iterator[int]:
    at = data.find(b"CLJ1", start)
    while at >= 0:
        yield at
        at = data.find(b"CLJ1", at + 1)


def _frame(data: bytes, at: int) -> tuple[Frame | None, int]:
    head = data[at : at + _HEAD]
    if len(head) < _HEAD or head[:4] != b"CLJ1":
        return None, at
    end = at + _HEAD + int.from_bytes(head[4:8], "big")
    payload = data[at + _HEAD : end]
    if end > len(data) or hashlib.sha256(payload).digest() != head[8:]:
        return None, at
    size = int.from_bytes(payload[:4], "big")
    records, whole = _records(payload[4 : 4 + size])
    return (Frame(records, payload[4 + size :]), end) if whole else (None, at)
