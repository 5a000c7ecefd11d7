"""Servers over HTTP on the loopback interface: infinity with its torch engine, and Cloister's service beside it.

One call is one POST of all texts, one connection kept open; JSON in and out is in the time, as it is for a client.
"""

import ctypes
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .batches import Texts

_READY_SECONDS = 300.0


class Http(Texts):
    def __init__(self, server: str) -> None:
        self.server = server

    def prepare(self, model: Path, work: Path, threads: int) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command, self.path, health = {"infinity": infinity, "cloister": cloister}[self.server](model, work, port)
        # In this process group, so that it stands still with this process; and it ends with it.
        self.process = subprocess.Popen(
            command, stdout=sys.stderr, stdin=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": ""},
            preexec_fn=lambda: _begin(threads),
        )  # fmt: skip
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
        end = time.monotonic() + _READY_SECONDS
        while not self._healthy(health):
            if self.process.poll() is not None or time.monotonic() > end:
                raise OSError(f"{self.server} did not become ready")
            time.sleep(0.1)

    def encode(self, texts: list[str]) -> NDArray[np.float32]:
        body = {"model": "lab", "input": texts, **({"truncate": True} if self.server == "cloister" else {})}
        data, status = self._post(json.dumps(body))
        if status != 200:
            raise OSError(f"status {status}: {data[:300]!r}")
        return np.array([row["embedding"] for row in json.loads(data)["data"]], np.float32)

    def _post(self, body: str) -> tuple[bytes, int]:
        """One POST; on a new connection where the server closed the last one, as it does while it stands still."""
        headers = {"Content-Type": "application/json"}
        try:
            self.connection.request("POST", self.path, body, headers)
            answer = self.connection.getresponse()
        except ConnectionError:
            self.connection.close()
            self.connection.request("POST", self.path, body, headers)
            answer = self.connection.getresponse()
        return answer.read(), answer.status

    def _healthy(self, path: str) -> bool:
        try:
            self.connection.request("GET", path)
            answer = self.connection.getresponse()
            answer.read()
        except OSError:
            self.connection.close()
            return False
        return answer.status == 200


def infinity(model: Path, work: Path, port: int) -> tuple[list[str], str, str]:
    """Command, path of embeddings, path of health."""
    binary = Path(sys.executable).parent / "infinity_emb"
    arguments = ["v2", "--model-id", str(model), "--served-model-name", "lab", "--engine", "torch", "--device", "cpu"]
    return [str(binary), *arguments, "--no-bettertransformer", "--port", str(port)], "/embeddings", "/health"


def cloister(model: Path, work: Path, port: int) -> tuple[list[str], str, str]:
    """The service without redaction, which infinity does not do."""
    binary = Path(sys.executable).parent / "cloister"
    arguments = ["serve", f"lab={work / 'cloister-int8'}", "--port", str(port), "--policy", "off"]
    return [str(binary), *arguments], "/v1/embeddings", "/health/ready"


def _begin(threads: int) -> None:
    """As many processors as threads, which is what both servers go by; and an end with the worker, as the worker's."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def make(**options: Any) -> Http:
    return Http(**options)
