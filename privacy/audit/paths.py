"""Every path of an audit log, relative to its folder. FORMAT.md says the same in prose."""

CHECKPOINT = "checkpoint"
CHECKPOINT_NEW = "checkpoint.new"
JOURNAL = "journal"
PERIODS = "periods"
NEW_PERIOD_KEY = "periods/new.key"
LOCK = "lock"
AUDIT_KEY = "audit.key"
AUDIT_PUBLIC_KEY = "audit.pub"

TILE_WIDTH = 256
ENTRIES = "entries"


def tile(level: int | str, index: int, width: int = TILE_WIDTH) -> str:
    """A tile of C2SP `tlog-tiles`: hashes of a level, or with level `entries` the records themselves.

    Args:
        level: 0 and up, or `ENTRIES`.
        index: of the tile within its level.
        width: hashes or records in it; less than 256 for the last one.
    """
    parts = [f"{index % 1000:03d}"]
    while index := index // 1000:
        parts.append(f"x{index % 1000:03d}")
    path = f"tile/{level}/{'/'.join(reversed(parts))}"
    return path if width == TILE_WIDTH else f"{path}.p/{width}"


def journal(start: int) -> str:
    """The journal whose first record has the index `start`."""
    return f"{JOURNAL}/{start:020d}"


def journal_start(name: str) -> int | None:
    """Index of a journal's first record by its file name; None for other names."""
    return int(name) if len(name) == 20 and name.isascii() and name.isdigit() else None


def period_key(period: str) -> str:
    """The key of a period; the period's name is the UTC date it begins on."""
    return f"{PERIODS}/{period}.key"


def folder_of(path: str) -> str:
    """The folder that holds a path, the empty string for the log's own."""
    return path.rpartition("/")[0]
