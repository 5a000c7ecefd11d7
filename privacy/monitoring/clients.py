"""What is remembered of clients: a bounded table that cannot be emptied by whoever wants to be forgotten.

A client gives its place to another only after it was silent for a while. When nobody was, newcomers share buckets that
are watched as if they were one client each: an attacker who fills the table with made-up clients makes the monitor less
precise about whom, not blind. Which bucket a client shares depends on a secret.
"""

import hmac
from collections import OrderedDict

from .sketch import Memory

_BUCKETS = 64


class Client:
    """The state of one client, of one bucket, or of all clients together. About 2 KiB, whatever is sent.

    Attributes:
        at: when its last request came, on the monitor's clock.
        shared: it stands for several clients.
        level: inputs above the rate, see the burst detector.
        entities: redacted values per text, as a moving average.
        sums: cumulative sums of the detectors that have one.
        memory: of its texts, made with the first one.
        raised: when an alert of a kind was raised last.
    """

    __slots__ = ("at", "entities", "level", "memory", "raised", "shared", "sums")

    def __init__(self, at: float, detectors: int, *, shared: bool) -> None:
        self.at = at
        self.shared = shared
        self.level = 0.0
        self.entities = 0.0
        self.sums = [0.0] * detectors
        self.memory: Memory | None = None
        self.raised: dict[str, float] = {}


class Clients:
    """Clients by name.

    Args:
        most: how many are kept one by one.
        forget: seconds of silence after which one may be replaced.
        detectors: how many sums each has.
        secret: decides about buckets and hashes.
    """

    def __init__(self, most: int, forget: float, detectors: int, secret: bytes) -> None:
        self._most = most
        self._forget = forget
        self._detectors = detectors
        self._secret = secret
        self._by_name: OrderedDict[str, Client] = OrderedDict()
        self._buckets: dict[int, Client] = {}

    def __len__(self) -> int:
        return len(self._by_name) + len(self._buckets)

    def __repr__(self) -> str:
        return f"<Clients, {len(self)}>"

    def get(self, name: str, now: float) -> Client:
        """The state of a client that sends a request now."""
        known = self._by_name.get(name)
        if known is not None:
            self._by_name.move_to_end(name)
            return known
        if len(self._by_name) >= self._most:
            oldest = next(iter(self._by_name))
            if now - self._by_name[oldest].at < self._forget:
                return self._bucket(name, now)
            del self._by_name[oldest]
        made = self._by_name[name] = Client(now, self._detectors, shared=False)
        return made

    def _bucket(self, name: str, now: float) -> Client:
        number = int(self.hashed(name), 16) % _BUCKETS
        found = self._buckets.get(number)
        if found is None:
            found = self._buckets[number] = Client(now, self._detectors, shared=True)
        return found

    def hashed(self, name: str) -> str:
        """Keyed hash of a client's name: 16 hexadecimal digits (HMAC-SHA-256, cut)."""
        return hmac.digest(self._secret, name.encode("utf-8", "surrogatepass"), "sha256").hex()[:16]
