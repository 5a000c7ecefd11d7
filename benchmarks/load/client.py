"""An HTTP/1.1 client that costs little, since it shares the processors with the server."""

import asyncio
import gc
import json
import time
from dataclasses import dataclass
from typing import cast


@dataclass(frozen=True)
class Sent:
    """One request.

    Attributes:
        kind: for the report.
        due: when it should have been sent, in seconds of the run.
        seconds: from then to its answer.
        status: 0 where none came.
        late: how long after it was due this client sent it, which is part of `seconds`.
    """

    kind: str
    due: float
    seconds: float
    status: int
    late: float = 0.0


def request(path: str, body: object, **headers: str) -> bytes:
    """The bytes of a POST."""
    data = json.dumps(body).encode()
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, f"Content-Length: {len(data)}", "", ""]).encode() + data


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self.waiter: asyncio.Future[tuple[int, bytes]] | None = None
        self._buffer = bytearray()
        self.open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport, self.open = cast(asyncio.Transport, transport), True

    def connection_lost(self, error: Exception | None) -> None:
        self.open = False
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result((0, b""))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._buffer[:end]).lower()
        at = head.index(b"content-length:") + 15
        size = int(head[at : head.find(b"\r\n", at) if head.find(b"\r\n", at) > 0 else None])
        if len(self._buffer) >= end + 4 + size and self.waiter is not None and not self.waiter.done():
            body = bytes(self._buffer[end + 4 : end + 4 + size])
            self._buffer.clear()
            self.waiter.set_result((int(head[9:12]), body))


class Pool:
    """Keep-alive connections to one server, as many as there are requests under way."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[_Connection] = []

    async def post(self, data: bytes) -> tuple[int, bytes]:
        """Status and body; status 0 when the connection broke."""
        loop = asyncio.get_running_loop()
        while self._idle and not self._idle[-1].open:
            self._idle.pop()
        if self._idle:
            connection = self._idle.pop()
        else:
            try:
                _, connection = await loop.create_connection(_Connection, "127.0.0.1", self._port)
            except OSError:
                return 0, b""
        connection.waiter = loop.create_future()
        connection.transport.write(data)
        answer = await connection.waiter
        if connection.open:
            self._idle.append(connection)
        return answer

    def close(self) -> None:
        """Close what is idle."""
        for connection in self._idle:
            connection.transport.close()


async def open_loop(pool: Pool, schedule: list[tuple[float, str, bytes]]) -> list[Sent]:
    """Send each request of `(seconds from now, kind, bytes)` when it is due, whatever became of those before."""
    sent: list[Sent] = []
    tasks: set[asyncio.Task[None]] = set()
    gc.disable()  # a full collection over a long run's tasks would be read as latency
    start = time.perf_counter()

    async def one(due: float, kind: str, data: bytes) -> None:
        late = time.perf_counter() - start - due
        status, _ = await pool.post(data)
        sent.append(Sent(kind, due, time.perf_counter() - start - due, status, late))

    for due, kind, data in schedule:
        wait = due - (time.perf_counter() - start)
        if wait > 0:
            await asyncio.sleep(wait)
        task = asyncio.ensure_future(one(due, kind, data))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
    gc.enable()
    return sent


async def closed_loop(pool: Pool, requests: list[bytes], clients: int, seconds: float) -> list[Sent]:
    """`clients` that each send the next request as soon as they have their answer."""
    sent: list[Sent] = []
    start = time.perf_counter()
    number = 0

    async def client() -> None:
        nonlocal number
        while (now := time.perf_counter() - start) < seconds:
            data = requests[number % len(requests)]
            number += 1
            status, _ = await pool.post(data)
            sent.append(Sent("closed", now, time.perf_counter() - start - now, status))

    await asyncio.gather(*(client() for _ in range(clients)))
    return sent
