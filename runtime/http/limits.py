"""How much one client, and all together, may ask at once and over time."""

import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ... import Overloaded

_REMEMBERED = 10_000


@dataclass
class _Client:
    tokens: float
    at: float
    active: int = 0


class RequestLimits:
    """Bounds on requests. For one event loop.

    Args:
        total: most requests at once.
        per_client: most requests at once of one client.
        rate: requests per second of one client, by a token bucket that holds two seconds' worth; None for no limit.
    """

    def __init__(self, total: int, per_client: int, rate: float | None) -> None:
        self.active = 0
        self._total = total
        self._per_client = per_client
        self._rate = rate
        self._clients: OrderedDict[str, _Client] = OrderedDict()

    @contextmanager
    def admit(self, client: str) -> Iterator[None]:
        """Hold a place for one request.

        Raises:
            Overloaded: there is none.
        """
        if self.active >= self._total:
            raise Overloaded("the service handles as many requests as it may", hint="try again later", code="too_many")
        state = self._state(client)
        if state.active >= self._per_client:
            raise Overloaded(
                "this client has as many requests under way as it may", hint="wait for answers", code="client_limit"
            )
        if self._rate is not None:
            if state.tokens < 1:
                raise Overloaded("this client asks too often", hint="slow down", code="client_rate")
            state.tokens -= 1
        self.active += 1
        state.active += 1
        try:
            yield
        finally:
            self.active -= 1
            state.active -= 1

    def _state(self, client: str) -> _Client:
        now, full = time.monotonic(), 2 * (self._rate or 0.0) + 1
        state = self._clients.get(client)
        if state is None:
            state = self._clients[client] = _Client(full, now)
            while len(self._clients) > _REMEMBERED:
                oldest, left = next(iter(self._clients.items()))
                if left.active:
                    break
                del self._clients[oldest]
        else:
            self._clients.move_to_end(client)
        state.tokens = min(full, state.tokens + (now - state.at) * (self._rate or 0.0))
        state.at = now
        return state
