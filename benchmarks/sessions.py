"""Is one session with runs side by side as fast as a session for each thread, and what does each cost in memory?

python -m benchmarks.sessions
"""

import threading
import time

from benchmarks import workbench as wb
from cloister.runtime import Engine, Options, load
from cloister.runtime.memory import resident

SECONDS, TURNS = 2.0, 4


def rate(engines: list[Engine], batches: list[list[str]]) -> float:
    """Texts per second when every engine's thread runs batch after batch."""
    prepared = [engines[0].tokenize(batch, truncate=True) for batch in batches]
    counts = [0] * len(engines)
    until = time.perf_counter() + SECONDS

    def run(index: int) -> None:
        number = index
        while time.perf_counter() < until:
            batch = prepared[number % len(prepared)]
            engines[index].forward(batch)
            counts[index] += len(batch)
            number += 1

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(engines))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / SECONDS


def main() -> None:
    """Print texts per second of each arrangement, in turns, and the memory of a second session."""
    bundle = wb.bundle()
    texts = sorted(wb.traffic(), key=len)
    batches = [texts[start : start + 8] for start in range(0, len(texts), 8)]
    one = load(bundle, options=Options(threads=1))
    rate([one], batches)
    before = resident()
    other = load(bundle, options=Options(threads=1))
    rate([other], batches)
    second = resident() - before
    wide = load(bundle, options=Options(threads=2))
    arrangements = {
        "one session, one run on 2 threads": [wide],
        "one session, two runs side by side on 1 thread each": [one, one],
        "two sessions, one run each on 1 thread": [one, other],
    }
    found: dict[str, list[float]] = {name: [] for name in arrangements}
    for _ in range(TURNS):
        for name, engines in arrangements.items():
            found[name].append(rate(engines, batches))
    print(wb.machine())
    for name, values in found.items():
        print(f"  {name}: {max(values):.0f} texts/s (median {sorted(values)[len(values) // 2]:.0f})")
    print(
        f"  a second session adds {second >> 20} MiB; the bundle has {sum(f.bytes for f in one.manifest.files) >> 20}"
    )


if __name__ == "__main__":
    main()
