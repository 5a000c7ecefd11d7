"""A file layer that records what a log does to it, and what of that is left when the power goes.

Kept is only what was synced: contents by `sync` of the file, names by `sync_folder` of the folder. Of everything else
an adversary keeps what hurts most: nothing, all of it, or one thing alone, and of the last write any beginning.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from cloister.privacy.audit.storage import Appender


@dataclass(frozen=True)
class Operation:
    """One operation. `site` is the place in the code that asks for a sync."""

    kind: str
    path: str
    data: bytes = b""
    other: str = ""
    site: str = ""


@dataclass
class Files:
    """Contents and names. A file is an object of its own, since a name and what it names become durable separately."""

    names: dict[str, int] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    contents: dict[int, bytes] = field(default_factory=dict)

    def copy(self) -> "Files":
        return Files(dict(self.names), set(self.folders), dict(self.contents))


def folder_of(path: str) -> str:
    return path.rpartition("/")[0]


class Machine:
    """What is in memory (`cache`), what is on the platter (`disk`), and what the platter does not have yet."""

    def __init__(self) -> None:
        self.cache = Files()
        self.disk = Files()
        self.pending: list[tuple[Operation, int]] = []
        self._next = 0

    def do(self, operation: Operation) -> None:
        """Apply one operation."""
        cache, path = self.cache, operation.path
        number = cache.names.get(path, -1)
        match operation.kind:
            case "write":
                if number < 0:
                    number = self._make(path)
                cache.contents[number] = operation.data
            case "append":
                if number < 0:
                    number = self._make(path)
                cache.contents[number] += operation.data
            case "sync":
                self.disk.contents[number] = cache.contents[number]
                self.pending = [
                    (op, n) for op, n in self.pending if not (n == number and op.kind in ("write", "append"))
                ]
                return
            case "sync_folder":
                self._settle(path)
                return
            case "rename":
                cache.names[operation.other] = cache.names.pop(path)
            case "remove":
                if cache.names.pop(path, None) is None:
                    return
            case "make_folder":
                cache.folders.add(path)
            case "remove_folder":
                if path not in cache.folders or any(folder_of(n) == path for n in (*cache.names, *cache.folders)):
                    return
                cache.folders.discard(path)
        self.pending.append((operation, number))

    def _make(self, path: str) -> int:
        self._next += 1
        self.cache.names[path] = self._next
        self.cache.contents[self._next] = b""
        self.pending.append((Operation("create", path), self._next))
        return self._next

    def _settle(self, folder: str) -> None:
        left = []
        for operation, number in self.pending:
            if operation.kind in ("write", "append") or folder_of(operation.path) != folder:
                left.append((operation, number))
            else:
                persist(self.disk, operation, number)
        self.pending = left

    def after_power_loss(self) -> Iterator[Files]:
        """What may be on the platter now."""
        yield _survivors(self.disk)
        everything = self.disk.copy()
        for operation, number in self.pending:
            persist(everything, operation, number)
        yield _survivors(everything)
        for operation, number in self.pending[-12:]:
            alone = self.disk.copy()
            persist(alone, operation, number)
            yield _survivors(alone)
        for operation, number in self.pending[-1:]:
            if operation.kind in ("write", "append"):
                for share in (1, 2, 3):
                    torn = self.disk.copy()
                    for before, n in self.pending[:-1]:
                        persist(torn, before, n)
                    part = operation.data[: len(operation.data) * share // 4]
                    persist(torn, Operation(operation.kind, operation.path, part), number)
                    yield _survivors(torn)

    def after_kill(self) -> "Machine":
        """The same machine for a new process: nothing was lost, and nothing more became durable."""
        machine = Machine()
        machine.cache, machine.disk = self.cache.copy(), self.disk.copy()
        machine.pending, machine._next = list(self.pending), self._next
        return machine


def persist(disk: Files, operation: Operation, number: int) -> None:
    """One operation reaches the platter."""
    match operation.kind:
        case "create":
            disk.names[operation.path] = number
            disk.contents.setdefault(number, b"")
        case "write":
            disk.contents[number] = operation.data
        case "append":
            disk.contents[number] = disk.contents.get(number, b"") + operation.data
        case "rename":
            number = disk.names.pop(operation.path, number)
            disk.names[operation.other] = number
            disk.contents.setdefault(number, b"")
        case "remove":
            disk.names.pop(operation.path, None)
        case "make_folder":
            disk.folders.add(operation.path)
        case "remove_folder":
            disk.folders.discard(operation.path)


def _survivors(disk: Files) -> Files:
    """Names whose folders, all the way up, are there."""

    def reachable(path: str) -> bool:
        folder = folder_of(path)
        return not folder or (folder in disk.folders and reachable(folder))

    return Files(
        {name: number for name, number in disk.names.items() if reachable(name)},
        {folder for folder in disk.folders if reachable(folder)},
        disk.contents,
    )


class Recorder:
    """A `Storage` in memory that keeps every operation, or reads from a given state."""

    def __init__(self, machine: Machine | None = None) -> None:
        self.machine = machine or Machine()
        self.operations: list[Operation] = []

    @classmethod
    def of(cls, files: Files) -> "Recorder":
        machine = Machine()
        machine.cache, machine.disk = files.copy(), files.copy()
        machine._next = max(files.contents, default=0)
        return cls(machine)

    def _do(self, operation: Operation) -> None:
        self.operations.append(operation)
        self.machine.do(operation)

    def read(self, path: str) -> bytes | None:
        number = self.machine.cache.names.get(path)
        return None if number is None else self.machine.cache.contents[number]

    def write(self, path: str, data: bytes, mode: int = 0o644) -> None:
        self._do(Operation("write", path, data))

    def sync(self, path: str) -> None:
        self._do(Operation("sync", path, site=_caller()))

    def sync_folder(self, path: str) -> None:
        self._do(Operation("sync_folder", path, site=_caller()))

    def rename(self, old: str, new: str) -> None:
        self._do(Operation("rename", old, other=new))

    def remove(self, path: str) -> None:
        self._do(Operation("remove", path))

    def make_folder(self, path: str) -> bool:
        if path in self.machine.cache.folders:
            return False
        self._do(Operation("make_folder", path))
        return True

    def remove_folder(self, path: str) -> None:
        self._do(Operation("remove_folder", path))

    def names(self, path: str) -> list[str]:
        cache = self.machine.cache
        return sorted(n.rpartition("/")[2] for n in (*cache.names, *cache.folders) if folder_of(n) == path)

    def append(self, path: str) -> Appender:
        self._do(Operation("append", path))
        return _Appender(self, path)


class _Appender:
    def __init__(self, recorder: Recorder, path: str) -> None:
        self._recorder = recorder
        self._path = path

    def write(self, data: bytes) -> None:
        self._recorder._do(Operation("append", self._path, data))

    def sync(self) -> None:
        self._recorder._do(Operation("sync", self._path, site=_caller()))

    def close(self) -> None:
        pass


def _caller() -> str:
    code = sys._getframe(2)
    return f"{code.f_code.co_filename.rpartition('/')[2]}:{code.f_lineno} {code.f_code.co_qualname}"


def replayed(operations: Sequence[Operation], without: str = "-", start: Machine | None = None) -> Iterator[Machine]:
    """The machine before the first operation and after each, as if the sync at one place in the code were not there."""
    machine = Machine() if start is None else start.after_kill()
    yield machine
    for operation in operations:
        if operation.site != without:
            machine.do(operation)
        yield machine
