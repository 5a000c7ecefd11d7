"""The checker: every change of a byte that matters is found, and untouched logs are never accused."""

import ast
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloister import AuditLogError, KeyFileError
from cloister.privacy import notes
from cloister.privacy.audit import checkpoint as checkpoints
from cloister.privacy.audit import journal, paths
from cloister.privacy.audit.check import Verdict, verify
from cloister.privacy.audit.check_notes import read_key
from cloister.privacy.audit.merkle import Tree, leaf_hash
from cloister.privacy.audit.storage import Disk
from cloister.privacy.audit.store import LogStore
from cloister.privacy.notes import SecretKey

KEY = SecretKey("example.com/log", bytes(range(32)))
OTHER = SecretKey("example.com/log", bytes(range(1, 33)))
WITNESS = SecretKey("example.com/witness", bytes(range(2, 34)))
MUTATIONS = int(os.environ.get("AUDIT_MUTATIONS", "1000"))

COPIES = int(os.environ.get("AUDIT_COPIES", "200"))

Files = dict[str, bytes]


def record(index: int, text: str = "") -> bytes:
    body = '{"time":%d,"metadata":{"sequence":%d},"unmapped":{"note":"%s"}}'
    return (body % (1_800_000_000_000 + index, index, text or "x" * (index % 50))).encode()


def made(folder: Path, count: int, *, publish: bool = True, key: SecretKey = KEY) -> bytes:
    """A log of `count` records; returns its last checkpoint."""
    folder.mkdir()
    store = LogStore(Disk(folder), key)
    store.recover()
    at = 0
    while at < count:
        width = min(37, count - at)
        store.commit([record(i) for i in range(at, at + width)])
        at += width
    if publish:
        store.close()
    return store.checkpoint


def checked(folder: Path, *kept: bytes) -> Verdict:
    return verify(folder, [read_key(KEY.public.line), read_key(WITNESS.public.line)], kept)


def contents(folder: Path) -> Files:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    folder = tmp_path_factory.mktemp("check") / "log"
    return folder, made(folder, 1000)


@pytest.fixture
def copy(log: tuple[Path, bytes], tmp_path: Path) -> tuple[Path, bytes]:
    shutil.copytree(log[0], tmp_path / "log")
    return tmp_path / "log", log[1]


def test_the_checker_shares_no_code_with_the_writer() -> None:
    folder = Path(notes.__file__).parent / "audit"
    allowed = {"check_notes", "check_files", "check_proof", ""}
    for path in folder.glob("check*.py"):
        if path.name == "checkpoint.py":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level:
                assert node.level == 3 or (node.module or "") in allowed, (path.name, node.module)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
                assert not any(name.startswith("cloister") for name in names)


@pytest.mark.parametrize("count", [0, 1, 255, 256, 257, 600])
@pytest.mark.parametrize("publish", [True, False])
def test_untouched_logs_verify(tmp_path: Path, count: int, publish: bool) -> None:
    kept = made(tmp_path / "log", count, publish=publish)
    verdict = checked(tmp_path / "log", kept)
    assert verdict.problems == []
    assert verdict.entries == count
    assert verdict.root == checkpoints.parse(kept).root
    assert len(verdict.anchored_to) == 1
    assert [w.kind for w in checked(tmp_path / "log").warnings] == ["unanchored"]


def flip(rng: random.Random, files: Files, name: str) -> str:
    data = bytearray(files[name])
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    files[name] = bytes(data)
    return f"flip in {name}"


def cut(rng: random.Random, files: Files, name: str) -> str:
    at = rng.randrange(len(files[name]))
    files[name] = files[name][:at] if rng.random() < 0.5 else files[name][at + 1 :]
    return f"cut of {name}"


def lose(rng: random.Random, files: Files, name: str) -> str:
    del files[name]
    return f"loss of {name}"


def grow(rng: random.Random, files: Files, name: str) -> str:
    files[name] += rng.randbytes(rng.randint(1, 40))
    return f"growth of {name}"


def swap(rng: random.Random, files: Files, name: str) -> str:
    other = rng.choice([n for n in files if files[n] != files[name]])
    files[name], files[other] = files[other], files[name]
    return f"swap of {name} and {other}"


def _bundle(rng: random.Random, files: Files) -> tuple[str, list[bytes]]:
    name = rng.choice([n for n in files if n.startswith("tile/entries/")])
    return name, journal.unpack_entries(files[name]) or []


def edit_records(rng: random.Random, files: Files, name: str) -> str:
    """Records removed, doubled, put in another order or changed, with a bundle that parses."""
    name, entries = _bundle(rng, files)
    at, to = rng.randrange(len(entries)), rng.randrange(len(entries))
    what = rng.choice(["remove", "double", "move", "change"])
    entry = entries[at]
    if what == "remove":
        del entries[at]
    elif what == "double":
        entries.insert(to, entry)
    elif what == "move":
        if at == to:
            to = (at + 1) % len(entries)
        entries[at], entries[to] = entries[to], entries[at]
    else:
        entries[at] = entry.replace(b"1800", b"1801", 1)
    files[name] = journal.pack_entries(entries)
    return f"{what} in {name}"


def resign(rng: random.Random, files: Files, name: str) -> str:
    """The checkpoint signed again, as it is or for a made-up tree, with another key of the same name."""
    head = checkpoints.parse(files["checkpoint"])
    root = head.root if rng.random() < 0.5 else rng.randbytes(32)
    files["checkpoint"] = checkpoints.sign(OTHER, head.size, root)
    return "signed with another key"


def shorten(rng: random.Random, files: Files, name: str) -> str:
    """A smaller log that is right in itself, made by someone who has the key: only a kept checkpoint tells."""
    size = rng.randrange(1000)
    return rebuild(files, [record(i) for i in range(size)])


def replace(rng: random.Random, files: Files, name: str) -> str:
    """A log of the same size or more with another record in it, made by someone who has the key."""
    records = [record(i) for i in range(1000 + rng.randrange(2))]
    at = rng.randrange(1000)
    records[at] = record(at, "another")
    return rebuild(files, records)


def rebuild(files: Files, records: list[bytes]) -> str:
    tree = Tree()
    files.clear()
    for entry in records:
        tree.append(leaf_hash(entry))
    for level, index, data in [*tree.take_finished(), *tree.unfinished()]:
        files[paths.tile(level, index, len(data) // 32)] = data
    for start in range(0, len(records), 256):
        part = records[start : start + 256]
        files[paths.tile(paths.ENTRIES, start // 256, len(part))] = journal.pack_entries(part)
    files["checkpoint"] = checkpoints.sign(KEY, tree.size, tree.root())
    return f"rebuilt with {len(records)} records"


Mutation = Callable[[random.Random, Files, str], str]
MUTATORS: list[Mutation] = [
    flip,
    flip,
    flip,
    cut,
    grow,
    lose,
    swap,
    edit_records,
    edit_records,
    resign,
    shorten,
    replace,
]


def mutations(files: Files, count: int, seed: int) -> Iterator[tuple[str, Files]]:
    rng = random.Random(seed)
    names = sorted(n for n in files if n.startswith("tile/") or n == "checkpoint")
    while count:
        changed = dict(files)
        what = rng.choice(MUTATORS)(rng, changed, rng.choice(names))
        if changed != files:
            count -= 1
            yield what, changed


def lay(folder: Path, before: Files, after: Files) -> None:
    """Make a folder hold `after` where it holds `before`."""
    for name in before.keys() - after.keys():
        (folder / name).unlink()
    for name, data in after.items():
        if before.get(name) != data:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)


def test_every_mutation_is_found(copy: tuple[Path, bytes]) -> None:
    folder, kept = copy
    files = contents(folder)
    relevant = {n: d for n, d in files.items() if n.startswith("tile/") or n == "checkpoint"}
    missed = []
    for what, changed in mutations(relevant, MUTATIONS, seed=20260131):
        lay(folder, relevant, changed)
        if checked(folder, kept).ok:
            missed.append(what)
        lay(folder, changed, relevant)
    assert missed == []
    assert checked(folder, kept).ok


def test_every_mutation_of_the_journal_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    kept = made(folder, 200, publish=False)
    (name,) = [n for n in contents(folder) if n.startswith("journal/")]
    whole = (folder / name).read_bytes()
    rng = random.Random(7)
    for number in range(300):
        data = bytearray(whole)
        if number % 3 == 0:
            data = data[: rng.randrange(len(data))]
        else:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        (folder / name).write_bytes(data)
        assert not checked(folder, kept).ok
    (folder / name).write_bytes(whole + whole[:30])
    verdict = checked(folder, kept)
    assert verdict.ok  # what a crash leaves of a write that was never acknowledged
    assert "torn" in [w.kind for w in verdict.warnings]


class Unsynced(Disk):
    """Thousands of logs are made of it: nobody pulls a plug here."""

    def sync(self, path: str) -> None:
        pass

    def sync_folder(self, path: str) -> None:
        pass


def test_untouched_copies_are_never_accused(tmp_path: Path) -> None:
    """Logs of any size, grown in any steps, as a writer leaves them or as a kill does, against one checkpoint."""
    rng = random.Random(5)
    for number in range(COPIES):
        folder = tmp_path / str(number)
        folder.mkdir()
        store = LogStore(Unsynced(folder), KEY)
        store.recover()
        kept = store.checkpoint
        for _ in range(rng.randrange(12)):
            size = store.size
            store.commit([record(i) for i in range(size, size + rng.randint(1, 90))])
            kept = rng.choice([kept, store.checkpoint])
            if rng.random() < 0.3:
                store.publish()
            if rng.random() < 0.1:
                store = LogStore(Unsynced(folder), KEY)
                store.recover()
        if rng.random() < 0.5:
            store.close()
        verdict = checked(folder, kept)
        assert (verdict.problems, verdict.entries) == ([], store.size)
        shutil.rmtree(folder)


def blamed(folder: Path, kept: bytes) -> list[tuple[str, int | None]]:
    return [(p.kind, p.record) for p in checked(folder, kept).problems]


@pytest.mark.parametrize("at", [0, 100, 300, 999])
def test_the_record_is_named(copy: tuple[Path, bytes], at: int) -> None:
    folder, kept = copy
    number = at // 256
    (path,) = [folder / n for n in contents(folder) if n.startswith(f"tile/entries/{number:03d}")]
    whole = path.read_bytes()
    entries = journal.unpack_entries(whole) or []
    within = at % 256

    def with_entries(changed: list[bytes]) -> list[tuple[str, int | None]]:
        path.write_bytes(journal.pack_entries(changed))
        try:
            return blamed(folder, kept)
        finally:
            path.write_bytes(whole)

    edited = [*entries]
    edited[within] = record(at, "changed")
    assert ("edited", at) in with_entries(edited)
    assert ("removed", at) in with_entries(entries[:within] + entries[within + 1 :])
    assert ("inserted", at) in with_entries([*entries[:within], record(at, "new"), *entries[within:]])
    if within + 1 < len(entries):
        moved = [*entries[:within], entries[within + 1], entries[within], *entries[within + 2 :]]
        assert ("reordered", at) in with_entries(moved)


def test_a_cut_tail_a_rebuild_and_a_fork_are_told_apart(copy: tuple[Path, bytes], tmp_path: Path) -> None:
    folder, kept = copy
    short, forked = tmp_path / "short", tmp_path / "forked"
    made(short, 990)
    assert blamed(short, kept) == [("cut", 990)]
    assert checked(short).ok  # nothing in the log itself can tell
    files: Files = {}
    rebuild(files, [record(i, "other" if i == 500 else "") for i in range(1000)])
    lay(forked, {}, files)
    assert blamed(forked, kept) == [("forked", None)]
    files = {}
    rebuild(files, [record(i, "other" if i == 500 else "") for i in range(1001)])
    lay(tmp_path / "rebuilt", {}, files)
    assert blamed(tmp_path / "rebuilt", kept) == [("rebuilt", None)]
    (folder / "tile/entries/000").unlink()
    assert ("removed", 0) in blamed(folder, kept)


def test_files_that_do_not_belong_are_named(copy: tuple[Path, bytes]) -> None:
    folder, kept = copy
    for name in ("tile/entries/009", "tile/0/003.p/7", "journal/notes.txt", "stranger", "tile/x"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"stranger")
        assert [k for k, _ in blamed(folder, kept)] == ["unexpected"], name
        (folder / name).unlink()
    (folder / "link").symlink_to(folder / "checkpoint")
    assert [k for k, _ in blamed(folder, kept)] == ["unexpected"]


def test_a_link_in_place_of_a_file_is_not_followed(copy: tuple[Path, bytes], tmp_path: Path) -> None:
    folder, kept = copy
    (folder / "tile/entries/001").rename(tmp_path / "aside")
    (folder / "tile/entries/001").symlink_to(tmp_path / "aside")
    assert ("removed", 256) in blamed(folder, kept)


def test_a_cosigned_checkpoint_anchors_with_its_witness(copy: tuple[Path, bytes]) -> None:
    folder, kept = copy
    text = notes.parse_note(kept).text
    cosigned = kept + WITNESS.cosignature_line(text, 1_800_000_000) + OTHER.cosignature_line(text)
    (anchor,) = checked(folder, cosigned).anchored_to
    assert anchor.cosigned == (WITNESS.name,)
    forged = kept + WITNESS.cosignature_line(text + b"more\n", 1_800_000_000)
    assert [k for k, _ in blamed(folder, forged)] == ["signature"]


def test_checkpoints_of_other_logs_and_the_future_are_refused(copy: tuple[Path, bytes]) -> None:
    folder, kept = copy
    future = checkpoints.sign(KEY, 5000, bytes(32))
    assert blamed(folder, future) == [("cut", 1000)]
    foreign = SecretKey("example.com/foreign", bytes(range(32)))
    assert [k for k, _ in blamed(folder, checkpoints.sign(foreign, 10, bytes(32)))] == ["signature"]
    for rubbish in (b"", b"\n\n", b"rubbish", kept[:-1], kept[:30]):
        assert [k for k, _ in blamed(folder, rubbish)] == ["signature"], rubbish
    verdict = verify(folder, [read_key(OTHER.public.line)], [kept])
    assert {p.kind for p in verdict.problems} == {"signature"}


def test_no_log_and_no_key_are_errors(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(AuditLogError, match="no audit log"):
            checked(path)
    for line in ("", "a+b+c", KEY.line, KEY.public.line[:-3]):
        with pytest.raises(KeyFileError):
            read_key(line)


def test_nothing_is_written_by_checking(copy: tuple[Path, bytes]) -> None:
    folder, kept = copy
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    checked(folder, kept)
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*")} == before
