"""The lab's side of a worker: start it, ask it, keep it still while others are measured."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .peers import ROOT
from .wire import receive, send

LIMIT_SECONDS = 900.0
"""A peer that does not answer by then is ended."""


class PeerFailed(Exception):
    """A peer said why it cannot, or its process ended."""


class Worker:
    """A peer's process. Stopped whenever it is not asked anything (SIGSTOP, with its threads and children).

    So no idle peer can spin on a processor that another is measured on, and each spins as it likes while it runs. It
    ends with the lab, however the lab ends.
    """

    def __init__(
        self, module: str, *, python: Path | None = None, threads: int, log: Path, limit: float = LIMIT_SECONDS
    ) -> None:
        home = ROOT / ".lab" / "home"
        (home / "intel").mkdir(parents=True, exist_ok=True)
        (home / "intel" / "openvino_telemetry").write_text("0")  # consent declined: OpenVINO and NNCF send nothing
        quiet = {
            "HF_HUB_OFFLINE": "1", "ORT_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1",
            "INFINITY_ANONYMOUS_USAGE_STATS": "0",
            "HOME": str(home), "TOKENIZERS_PARALLELISM": "true", "OMP_NUM_THREADS": str(threads),
            "RAYON_NUM_THREADS": str(threads), "PYTHONPATH": str(ROOT),
        }  # fmt: skip
        self._limit = limit
        with log.open("ab") as sink:
            self._process = subprocess.Popen(
                [str(python or sys.executable), "-m", "benchmarks.lab.worker", module, str(os.getpid())],
                cwd=ROOT, env={**os.environ, **quiet}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=sink,
                start_new_session=True,
            )  # fmt: skip

    def ask(self, do: str, **fields: Any) -> tuple[dict[str, Any], NDArray[np.float32] | None]:
        """One request and its answer; the worker runs only meanwhile. Raises PeerFailed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        expired = threading.Event()
        late = threading.Timer(self._limit, self._end, [expired])
        late.daemon = True
        try:
            self._signal(signal.SIGCONT)
            late.start()
            send(self._process.stdin, {"do": do, **fields})
            answer, rows = receive(self._process.stdout)
            self._signal(signal.SIGSTOP)
        except (EOFError, OSError) as error:
            said = f"no answer within {self._limit:g} s" if expired.is_set() else self._reason()
            raise PeerFailed(f"{said}; its output is in .lab/logs") from error
        finally:
            late.cancel()
        if "error" in answer:
            raise PeerFailed(answer["error"])
        return answer, rows

    @property
    def ended(self) -> bool:
        """Whether the process is gone."""
        return self._process.poll() is not None

    def close(self) -> None:
        """End the process."""
        self._signal(signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except BrokenPipeError:  # a request that was cut short is still in the buffer
                    continue

    def _reason(self) -> str:
        try:
            code = self._process.wait(5)
        except subprocess.TimeoutExpired:
            return "it closed its output"
        if code == -signal.SIGKILL:
            return "the system ended its process, as it does when memory runs out"
        return f"its process ended with {code}"

    def _end(self, expired: threading.Event) -> None:
        expired.set()
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, number)
