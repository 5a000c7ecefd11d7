"""Which records are past their time, and their removal. Hashes stay: they say nothing, and proofs need them."""

import msgspec

from . import journal, paths
from .storage import Storage


class _Time(msgspec.Struct):
    time: int


def bundles_before(storage: Storage, published: int, milliseconds: int | None) -> tuple[int, list[int]]:
    """Full bundles at the log's beginning whose records are all older than a time.

    Returns:
        The index of the first record that stays, and the bundles that go and are still there.
    """
    minimum, bundles = 0, []
    for number in range(published // paths.TILE_WIDTH if milliseconds is not None else 0):
        data = storage.read(paths.tile(paths.ENTRIES, number))
        if data is not None:
            entries = journal.unpack_entries(data) or []
            if not entries or max(map(_time, entries)) >= (milliseconds or 0):
                break
            bundles.append(number)
        minimum = (number + 1) * paths.TILE_WIDTH
    return minimum, bundles


def remove_bundles(storage: Storage, bundles: list[int]) -> None:
    """Remove full bundles, durably."""
    folders = set()
    for number in bundles:
        path = paths.tile(paths.ENTRIES, number)
        storage.remove(path)
        folders.add(paths.folder_of(path))
    for folder in sorted(folders):
        storage.sync_folder(folder)


def _time(entry: bytes) -> int:
    try:
        return msgspec.json.decode(entry, type=_Time).time
    except msgspec.DecodeError:
        return 1 << 62  # not a record that we understand: never old enough
