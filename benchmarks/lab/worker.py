"""A peer's process: `python -m benchmarks.lab.worker MODULE PARENT`, spoken to over standard input and output.

It times itself, so that neither the pipe nor the lab is in a figure. What a library prints goes to standard error.
"""

import contextlib
import ctypes
import importlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.lab.wire import receive, send

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Answer requests until told to close."""
    die_with(int(sys.argv[2]))
    incoming, outgoing = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    root = str(Path(__file__).resolve().parents[2])
    # The repository's folders `runtime`, `export`, … must not hide a package of the peer.
    sys.path[:] = [p for p in sys.path if p not in ("", root)]
    peer: Any = None
    while True:
        request, _ = receive(incoming)
        try:
            match request["do"]:
                case "prepare":
                    peer = importlib.import_module(sys.argv[1]).make(**request["options"])
                    start = time.perf_counter()
                    peer.prepare(Path(request["model"]), Path(request["work"]), int(request["threads"]))
                    taken = time.perf_counter() - start
                    one = getattr(peer, "one_batch", False)
                    send(outgoing, {"seconds": taken, "modes": list(peer.modes), "one_batch": one})
                case "texts":
                    peer.texts(request["texts"])
                    send(outgoing, {"split": peer.split})
                case "run":
                    run = peer.run if request["tokenized"] else peer.whole
                    times = []
                    for _ in range(request["repeat"]):
                        start = time.perf_counter()
                        run(request["mode"])
                        times.append((time.perf_counter() - start) * 1e3)
                    send(outgoing, {"ms": times})
                case "vectors":
                    send(outgoing, {}, peer.whole(request["mode"]))
                case "spans":
                    send(outgoing, {"spans": peer.spans()})
                case "forget":
                    forget_peak()
                    send(outgoing, {})
                case "memory":
                    send(outgoing, {"memory": memory()})
                case "close":
                    send(outgoing, {})
                    return
                case other:
                    raise ValueError(f"unknown request {other}")
        except Exception as error:  # noqa: BLE001 - a peer that fails is named in the report with its reason
            send(outgoing, {"error": f"{type(error).__name__}: {error}"[:500]})


def die_with(parent: int) -> None:
    """Linux ends this process when that parent ends, however it ends, also while this one is stopped (prctl(2))."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the call
        os._exit(1)


def memory() -> dict[str, int]:
    """Bytes resident now, and at most since the last `forget_peak`, of this process and those it started."""
    found = [_status(pid) for pid in _group()]
    return {"resident": sum(now for now, _ in found), "peak": sum(most for _, most in found)}


def forget_peak() -> None:
    """Let the peak begin anew at what is resident now (proc(5), clear_refs)."""
    for pid in _group():
        with contextlib.suppress(OSError):  # gone, or a kernel that cannot: then the peak is since its start
            Path(f"/proc/{pid}/clear_refs").write_text("5")


def _group() -> list[int]:
    """Processes of this process group: a server that an adapter started is among them."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[2]) == os.getpgrp():
                found.append(int(stat.parent.name))
    return found


def _status(pid: int) -> tuple[int, int]:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0, 0
    found = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.startswith(("VmRSS", "VmHWM"))}
    return found.get("VmRSS", 0), found.get("VmHWM", 0)


if __name__ == "__main__":
    main()
