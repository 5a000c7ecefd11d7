"""Makes the golden audit log of format version 1: `python tests/data/make_golden_audit.py FOLDER`.

It was run once, when the format was released. Its output is never made again: a later version must read what is there.
"""

import sys
from pathlib import Path

from cloister.privacy.audit import Alert, Lifecycle, Request, Retention, Summary
from cloister.privacy.audit.events import Event, encode
from cloister.privacy.audit.keys import PeriodKeys
from cloister.privacy.audit.storage import Disk
from cloister.privacy.audit.store import LogStore
from cloister.privacy.notes import SecretKey

KEY = SecretKey("example.com/golden", bytes(range(32)))
DAY = 86_400_000
START = 1_800_000_000_000


def events() -> list[Event]:
    """One event of every kind among requests, over three days."""
    found: list[Event] = [Lifecycle(started=True)]
    found += [
        Request(
            f"request-{i}",
            "/v1/classify",
            f"client-{i % 3}",
            "minilm",
            "ab" * 32,
            "cd" * 32,
            {"EMAIL_ADDRESS": i % 2} if i % 2 else {},
            i % 50,
            seconds=i / 1000,
            status=404 if i % 40 == 7 else 200,
            code="unknown_model" if i % 40 == 7 else None,
            decision="refused" if i % 40 == 7 else "allowed",
            phase="accepted" if i % 40 == 9 else "finished",
            input=b"in %d" % i,
            output=b"out %d" % i,
        )
        for i in range(262)
    ]
    found += [
        Summary(60.0, {"/health/live": 12, "refused:invalid_input": 1}),
        Alert("burst", "many requests of one client", "high", "client-1", {"count": 900}),
        Retention(("2027-01-14",), 0),
        Lifecycle(started=True, dropped_bytes=17),
    ]
    return found


def make(folder: Path) -> None:
    """Write the log: published up to record 260, the rest in the journal, as a killed service leaves it."""
    folder.mkdir()
    disk = Disk(folder)
    store = LogStore(disk, KEY)
    store.recover()
    made = iter(range(1, 100))
    keys = PeriodKeys(disk, lambda: bytes([next(made)]) * 32)
    records = []
    for index, event in enumerate(events()):
        time = START + index * DAY // 90
        records.append(encode(event, index, time, keys.digests(time)))
    for start in range(0, 260, 20):
        store.commit(records[start : start + 20])
    store.publish()
    store.commit(records[260:264])
    store.commit(records[264:])
    (folder / "kept-elsewhere.txt").write_bytes(store.checkpoint)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
