"""The audit log's figures: what a record costs, how fast a log is checked, what the service loses to it.

python -m benchmarks.audit [append group verify proof service] [--seconds N]
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import uvloop

from benchmarks import workbench as wb
from benchmarks.load.client import Pool, closed_loop, request
from benchmarks.load.service import Running, serving
from cloister.privacy.audit import AuditLog, Request
from cloister.privacy.audit.check import verify
from cloister.privacy.audit.check_notes import read_key
from cloister.privacy.audit.check_proof import check_proof
from cloister.privacy.audit.proof import inclusion_proof
from cloister.privacy.audit.reader import LogReader
from cloister.privacy.audit.storage import Appender, Disk
from cloister.privacy.notes import SecretKey

KEY = SecretKey.generate("cloister-0123abcd")  # as long as the name of a key that a log makes for itself
BODY = b'{"model":"minilm","input":"How do I reset the password of my account?"}'
ANSWER = b'{"model":"minilm","data":[{"index":0,"label":"reset_password","score":0.98}]}'


class Unsynced(Disk):
    """A folder whose syncs return at once: what is left is the work of this process."""

    def sync(self, path: str) -> None:
        """Nothing."""

    def sync_folder(self, path: str) -> None:
        """Nothing."""

    def append(self, path: str) -> Appender:
        """An appender that does not sync either."""
        appender = super().append(path)
        appender.sync = lambda: None  # type: ignore[method-assign]
        return appender


def event(number: int) -> Request:
    """A request as the service records it."""
    return Request(
        request_id=f"{number:016x}",
        route="/v1/classify",
        client="10.0.0.1",
        model="minilm",
        model_digest="ab" * 32,
        policy_digest="cd" * 32,
        entities={"PHONE_NUMBER": 1},
        input_tokens=17,
        seconds=0.0123,
        input=BODY,
        output=ANSWER,
    )


def append() -> None:
    """One record, without waiting for the disk: 20,000 submitted one after the other, until the last is committed."""
    times = []
    for _ in range(5):
        with tempfile.TemporaryDirectory() as folder:
            log = AuditLog(Path(folder), KEY, storage=Unsynced(Path(folder)))
            events = [event(i) for i in range(20_000)]
            start = time.perf_counter()
            last = [log.submit(e) for e in events][-1]
            last.result()
            times.append((time.perf_counter() - start) / len(events) * 1e6)
            log.close()
    print(f"append without fsync: {min(times):.1f} us least, {np.median(times):.1f} us median (wanted: at most 30)")


def group(folder: Path) -> None:
    """64 threads that each wait for their record, and one alone."""
    with AuditLog(folder / "one", KEY) as log:
        start = time.perf_counter()
        for i in range(300):
            log.append(event(i))
        alone = (time.perf_counter() - start) / 300
    rates = []
    for turn in range(5):
        with AuditLog(folder / f"many{turn}", KEY) as log:
            each = 400

            def work(log: AuditLog = log, each: int = each) -> None:
                for i in range(each):
                    log.append(event(i))

            threads = [threading.Thread(target=work) for _ in range(64)]
            start = time.perf_counter()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            rates.append(64 * each / (time.perf_counter() - start))
    print(f"one caller: {alone * 1e6:.0f} us a record with fsync")
    print(f"64 callers: {max(rates):.0f} records/s best, {np.median(rates):.0f} median (wanted: at least 10,000)")


def filled(folder: Path, count: int) -> LogReader:
    """A log of `count` records."""
    with AuditLog(folder, KEY, storage=Unsynced(folder)) as log:
        for future in [log.submit(event(i)) for i in range(count)]:
            future.result()
    return LogReader(folder)


def checking(folder: Path) -> None:
    """A log of 100,000 records: all of it checked, and one record proven."""
    folder.mkdir()
    log = filled(folder, 100_000)
    key = read_key(KEY.public.line)
    times = [timed(lambda: verify(folder, [key], [log.note])) for _ in range(3)]
    assert verify(folder, [key], [log.note]).ok
    print(f"verify {log.head.size} records: {min(times):.2f} s least (wanted: at most 1.5)")
    proof = inclusion_proof(log, 77_777)
    check_proof(proof, [key])
    made = min(timed(lambda: inclusion_proof(LogReader(folder), 77_777)) for _ in range(5))
    print(f"proof of one record: {len(proof)} bytes (wanted: at most 2,048), made in {made * 1000:.1f} ms")


def timed(work: Callable[[], object]) -> float:
    """Seconds that something takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def service(folder: Path, seconds: float) -> None:
    """64 HTTP clients of one text each, with and without the log, in turns."""
    body = {"encoding_format": "base64", "truncate": True, "model": "minilm"}
    requests = [request("/v1/embeddings", {**body, "input": text}) for text in wb.traffic()]
    bundle = wb.bundle()
    rates: dict[str, list[float]] = {"off": [], "on": []}
    with serving(bundle) as off, serving(bundle, "--audit", str(folder / "served")) as on:
        for turn in range(7):
            for name, running in (("off", off), ("on", on)):
                rate = uvloop.run(answered(running, requests, seconds)) / seconds
                if turn:  # the first turn warms both up
                    rates[name].append(rate)
    ratios = np.array(rates["on"]) / np.array(rates["off"])
    print(f"service: {max(rates['off']):.0f} texts/s without the log, {max(rates['on']):.0f} with it")
    print(f"  with / without: {np.median(ratios):.3f} median of turns (wanted: at least 0.95)")


async def answered(running: Running, requests: list[bytes], seconds: float) -> int:
    """Requests answered by a service in a time, with 64 clients."""
    pool = Pool(running.port)
    sent = await closed_loop(pool, requests, 64, seconds)
    pool.close()
    return sum(s.status == 200 for s in sent)


def main() -> None:
    """Run what was named, or everything."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", nargs="*", default=["append", "group", "verify", "service"])
    parser.add_argument("--seconds", type=float, default=5.0)
    arguments = parser.parse_args()
    # On the disk of the project, since /tmp may be memory, where an fsync costs nothing.
    wb.WORK.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=wb.WORK) as name:
        folder = Path(name)
        if "append" in arguments.what:
            append()
        if "group" in arguments.what:
            group(folder)
        if "verify" in arguments.what:
            checking(folder / "checked")
        if "service" in arguments.what:
            service(folder, arguments.seconds)


if __name__ == "__main__":
    main()
