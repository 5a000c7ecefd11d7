"""Whatever is done to a sealed folder, nothing but what the publisher signed is ever loaded."""

import os
import random
import shutil
import threading
from collections import Counter
from pathlib import Path

import pytest

from cloister import CloisterError
from cloister.privacy import storage
from cloister.runtime import load
from cloister.runtime.bundle import read
from tests.support.seals import MUTATIONS, Ground, mutate

SHARE = int(os.environ.get("SEAL_MUTATIONS", "1000"))
RACES = int(os.environ.get("SEAL_RACES", "250"))


def test_no_mutation_is_loaded(ground: Ground, tmp_path: Path) -> None:
    """`make test-seal` tries 10,000, and 1,000 of each race below."""
    folder = tmp_path / "sealed"
    seen: Counter[str] = Counter()
    for seed in range(SHARE):
        kind = mutate(folder, seed, ground)
        seen[kind] += 1
        with pytest.raises(CloisterError) as error:
            load(folder, unseal=ground.unseal)
        assert error.value.code.startswith(("seal_", "signature_", "bundle_")), (seed, kind)
    assert set(seen) == set(MUTATIONS)
    assert load(ground.current, unseal=ground.unseal).digest  # the untouched one loads, so refusals mean something


@pytest.mark.parametrize("name", MUTATIONS)
def test_each_mutation_is_refused_also_without_a_lowest_version(ground: Ground, tmp_path: Path, name: str) -> None:
    """All but an old version, which only a lowest version tells from the current one."""
    if name == "old version or other publisher":
        shutil.copytree(ground.old, tmp_path / "sealed")
        with pytest.raises(CloisterError) as error:
            read(tmp_path / "sealed", unseal=ground.unseal)
        assert error.value.code == "seal_version_too_old"
        return
    for seed in range(10):
        folder = tmp_path / f"sealed{seed}"
        shutil.copytree(ground.current, folder)
        MUTATIONS[name](folder, random.Random(seed), ground)
        with pytest.raises(CloisterError):
            read(folder, unseal=ground.unseal.expecting(None))


def test_a_file_swapped_between_check_and_use_is_never_used(
    ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Just before or just after any one read, any file changes on disk: the original comes out, or nothing."""
    folder = tmp_path / "sealed"
    wanted = read(ground.current, unseal=ground.unseal)
    plain = storage.Folder.read
    count, at, before, other = 0, 0, False, Path()
    victim = ""

    def racing(self: storage.Folder, name: str, limit: int) -> bytes:
        nonlocal count
        count += 1
        if count == at and before:
            os.replace(other, folder / victim)
        data = plain(self, name, limit)
        if count == at and not before:
            os.replace(other, folder / victim)
        return data

    monkeypatch.setattr(storage.Folder, "read", racing)
    outcomes: Counter[str] = Counter()
    for seed in range(RACES):
        rng = random.Random(seed)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(ground.current, folder)
        victim = rng.choice(sorted(p.name for p in folder.iterdir()))
        other = Path(shutil.copyfile(rng.choice([ground.sibling, ground.old, ground.foreign]) / victim, tmp_path / "x"))
        count, at, before = 0, rng.randint(1, 8), rng.random() < 0.5
        try:
            found = read(folder, unseal=ground.unseal)
        except CloisterError:
            outcomes["refused"] += 1
        else:
            assert found.contents == wanted.contents
            outcomes["original"] += 1
    assert min(outcomes["refused"], outcomes["original"]) > RACES // 20  # both happen, so both are tested


def test_files_that_another_thread_swaps_all_the_time(ground: Ground, tmp_path: Path) -> None:
    """The same without choosing the moment: a thread replaces files by those of other seals and puts them back."""
    folder = Path(shutil.copytree(ground.current, tmp_path / "sealed"))
    stop = threading.Event()

    def swap() -> None:
        rng = random.Random(0)
        names = sorted(p.name for p in folder.iterdir())
        while not stop.is_set():
            name = rng.choice(names)
            for source in (rng.choice([ground.sibling, ground.old, ground.foreign]), ground.current):
                os.replace(shutil.copyfile(source / name, tmp_path / "next"), folder / name)

    thread = threading.Thread(target=swap)
    thread.start()
    outcomes: Counter[str] = Counter()
    try:
        for _ in range(RACES):
            try:
                found = read(folder, unseal=ground.unseal)
            except CloisterError:
                outcomes["refused"] += 1
            else:
                outcomes["original"] += 1
                assert found.contents == ground.contents
    finally:
        stop.set()
        thread.join()
    assert outcomes["refused"]  # the thread did come in between


def test_the_folder_itself_may_be_swapped(ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path that leads elsewhere after the first read: files still come from the folder that was opened."""
    (tmp_path / "current").symlink_to(ground.current)
    wanted = read(ground.current, unseal=ground.unseal).contents
    plain = storage.Folder.read

    def racing(self: storage.Folder, name: str, limit: int) -> bytes:
        data = plain(self, name, limit)
        (tmp_path / "next").symlink_to(ground.sibling)
        os.replace(tmp_path / "next", tmp_path / "current")
        return data

    monkeypatch.setattr(storage.Folder, "read", racing)
    assert read(tmp_path / "current", unseal=ground.unseal).contents == wanted
