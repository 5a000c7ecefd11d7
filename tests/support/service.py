"""The service without a socket: an application over tiny models, asked through its ASGI interface."""

import asyncio
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from cloister.runtime.http.application import Application

TASKS = {
    "classes": "text-classification",
    "names": "token-classification",
    "vectors": "feature-extraction",
    "reader": "question-answering",
    "words": "fill-mask",
    "topics": "zero-shot-classification",
    "ranker": "text-ranking",
    "pairs": "sentence-similarity",
}


class Client:
    """Synchronous requests to an application on an event loop of its own."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.closed = False
        self.runner = asyncio.Runner()
        self.runner.run(application.start())
        transport = httpx.ASGITransport(app=application, client=("10.0.0.1", 5000))
        self.http = httpx.AsyncClient(transport=transport, base_url="http://localhost")

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self.runner.run(self.http.request(method, path, **more))

    def post(self, path: str, body: object, **more: Any) -> httpx.Response:
        return self.request("POST", path, json=body, **more)

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.request("GET", path, **more)

    def close(self) -> None:
        """Stop the service; a second call does nothing."""
        if not self.closed:
            self.closed = True
            self.runner.run(self.application.stop())
            self.runner.close()


Serve = Callable[..., Client]


class Server:
    """A service in a process of its own."""

    def __init__(self, *arguments: str) -> None:
        command = [str(Path(sys.executable).parent / "cloister"), "serve", "--port", "0", *arguments]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        self.start_line = ""
        for line in self.process.stderr:
            if line.startswith("cloister: "):
                self.start_line = line
                break
        assert self.start_line, "the service did not start"
        self.port = int(self.start_line.split()[1].rsplit(":", 1)[1])
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def raw(self, data: bytes, *, half_close: bool = False) -> bytes:
        """What the service answers to bytes until it closes the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            connection.sendall(data)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
            parts = []
            while part := connection.recv(65536):
                parts.append(part)
            return b"".join(parts)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)
