"""What sealing costs: seconds and peak memory of a sealed load beside the plain one, and speed of sealing.

Each load runs in a fresh process, plain and sealed in turn. The model is MiniLM in fp32, 90 MB of weights.
"""

import json
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks import workbench as wb
from benchmarks.footprint import fresh
from cloister.privacy import keygen
from cloister.privacy.age import parse_recipients
from cloister.privacy.keyfiles import read_secret_key
from cloister.privacy.seal import Contents, Demand, Label, seal, verify
from cloister.runtime.bundle import read

ROUNDS = 7
ALLOWED_SECONDS = 0.15
ALLOWED_RATE = 300e6
ALLOWED_MEMORY = 2.0

_LOAD = """
import json, sys, time
from cloister.runtime import load
import cloister.runtime.session
cloister.runtime.session.onnxruntime()
def peak():
    # VmHWM belongs to this program alone; getrusage's would also count the process that started it.
    return int(next(l for l in open("/proc/self/status") if l.startswith("VmHWM")).split()[1]) * 1024
before = peak()
unseal = None
start, used = time.perf_counter(), time.process_time()
if len(sys.argv) > 2:
    from cloister.privacy import Unseal
    unseal = Unseal(sys.argv[2], sys.argv[3])
engine = load(sys.argv[1], unseal=unseal)
seconds, used = time.perf_counter() - start, time.process_time() - used
print(json.dumps([seconds, used, peak() - before]))"""


def main() -> None:
    """Print the figures."""
    print(wb.machine())
    bundle = wb.bundle("fp32")
    contents = read(bundle).contents
    size = sum(map(len, contents.values()))
    weights = max(map(len, contents.values()))
    with tempfile.TemporaryDirectory(dir=wb.WORK) as name:
        folder = Path(name)
        keygen.generate(folder / "device", "device")
        keygen.generate(folder / "publisher", "publisher")
        recipients = parse_recipients((folder / "device" / "recipient.txt").read_text().splitlines())
        key = read_secret_key(folder / "publisher" / "signing.key")
        start = time.perf_counter()
        seal(folder / "sealed", Contents("bundle", contents), Label(1), recipients=recipients, signers=[key])
        print(f"\nSeal {size / 1e6:.1f} MB: {time.perf_counter() - start:.3f} s, written and synced")
        start = time.perf_counter()
        verify(folder / "sealed", Demand(folder / "publisher" / "signing.pub"))
        print(f"Verify without opening: {time.perf_counter() - start:.3f} s")
        keys = [str(folder / "device" / "identity.txt"), str(folder / "publisher" / "signing.pub")]
        _report(bundle, folder / "sealed", keys, size, weights)
        _age(folder)


def _report(bundle: Path, sealed: Path, keys: list[str], size: int, weights: int) -> None:
    runs: dict[str, list[tuple[float, float, int]]] = {"plain": [], "sealed": []}
    fresh(_LOAD, str(bundle))
    for _ in range(ROUNDS):
        runs["plain"].append(json.loads(fresh(_LOAD, str(bundle))))
        runs["sealed"].append(json.loads(fresh(_LOAD, str(sealed), *keys)))
    seconds = {side: [s for s, _, _ in values] for side, values in runs.items()}
    used = {side: statistics.median(u for _, u, _ in values) for side, values in runs.items()}
    peaks = {side: statistics.median(p for _, _, p in values) for side, values in runs.items()}
    for side, times in seconds.items():
        print(
            f"Load, {side:<6}: least {min(times):.3f} s, median {statistics.median(times):.3f} s, "
            f"{used[side]:.3f} s of processor time, peak {peaks[side] / 1e6:.1f} MB above the imports"
        )
    more = {
        "least": min(seconds["sealed"]) - min(seconds["plain"]),
        "median": statistics.median(seconds["sealed"]) - statistics.median(seconds["plain"]),
    }
    allowed = ALLOWED_SECONDS + size / ALLOWED_RATE
    print(f"A sealed load takes {more['least']:.3f} s more (median {more['median']:.3f}; wanted: {allowed:.3f})")
    print(f"and {used['sealed'] - used['plain']:.3f} s more of processor time, which a busy machine does not stretch")
    above = (peaks["sealed"] - peaks["plain"]) / weights
    print(f"Its peak is {above:+.2f} x the weights above the plain load's (wanted: {ALLOWED_MEMORY:g})")


def _age(folder: Path) -> None:
    """The command of the reference implementation beside it, where there is one."""
    if shutil.which("age") is None:
        print("age's own command is not installed")
        return
    largest = max((folder / "sealed").glob("*.age"), key=lambda path: path.stat().st_size)
    identity = folder / "device" / "identity.txt"
    start = time.perf_counter()
    subprocess.run(["age", "-d", "-i", identity, "-o", folder / "plain", largest], check=True)
    print(f"age -d of the largest file alone: {time.perf_counter() - start:.3f} s")


if __name__ == "__main__":
    main()
