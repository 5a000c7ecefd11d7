"""A peer's process: `python -m benchmarks.lab.worker MODULE`, spoken to over standard input and output.

It times itself, so that neither the pipe nor the lab is in a figure. What a library prints goes to standard error.
"""

import importlib
import os
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.lab.wire import receive, send


def main() -> None:
    """Answer requests until told to close."""
    incoming, outgoing = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    root = str(Path(__file__).resolve().parents[2])
    # The repository's folders `runtime`, `export`, … must not hide a package of the peer.
    sys.path[:] = [p for p in sys.path if p not in ("", root)]
    peer: Any = None
    texts: list[str] = []
    while True:
        request, _ = receive(incoming)
        try:
            match request["do"]:
                case "prepare":
                    peer = importlib.import_module(sys.argv[1]).make(**request["options"])
                    start = time.perf_counter()
                    peer.prepare(Path(request["model"]), Path(request["work"]), int(request["threads"]))
                    send(outgoing, {"seconds": time.perf_counter() - start, "modes": list(peer.modes)})
                case "texts":
                    texts = request["texts"]
                    peer.texts(texts)
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
                    send(outgoing, {"memory": memory()}, peer.whole(request["mode"]))
                case "close":
                    send(outgoing, {})
                    return
                case other:
                    raise ValueError(f"unknown request {other}")
        except Exception as error:  # noqa: BLE001 - a peer that fails is named in the report with its reason
            send(outgoing, {"error": f"{type(error).__name__}: {error}"[:500]})


def memory() -> dict[str, int]:
    """Bytes resident now and at most, from the system."""
    lines = Path("/proc/self/status").read_text().splitlines()
    found = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.startswith(("VmRSS", "VmHWM"))}
    return {"resident": found["VmRSS"], "peak": found["VmHWM"]}


if __name__ == "__main__":
    main()
