"""The service without a socket: an application over tiny models, asked through its ASGI interface."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx

from cloister.runtime.http.application import Application

TASKS = {
    "classes": "text-classification",
    "names": "token-classification",
    "vectors": "feature-extraction",
    "reader": "question-answering",
}


class Client:
    """Synchronous requests to an application on an event loop of its own."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.runner = asyncio.Runner()
        self.runner.run(application.start())
        transport = httpx.ASGITransport(app=application, client=("10.0.0.1", 5000))  # type: ignore[arg-type]
        self.http = httpx.AsyncClient(transport=transport, base_url="http://localhost")

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self.runner.run(self.http.request(method, path, **more))

    def post(self, path: str, body: object, **more: Any) -> httpx.Response:
        return self.request("POST", path, json=body, **more)

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.request("GET", path, **more)

    def close(self) -> None:
        self.runner.run(self.application.stop())
        self.runner.close()


Serve = Callable[..., Client]
