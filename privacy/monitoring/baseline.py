"""What is usual at a service, learned from its first requests: rates, sizes, personal data per text."""

from collections import Counter

_FACTOR = 4.0
_LEAST_RATE = 1.0
_LEAST_SECONDS = 1.0
_MOST_NAMES = 65536


class Baseline:
    """Collects until `finish`; holds nothing of a single client after that.

    Attributes:
        rate: inputs per second that one client may send for ever: four times the mean rate of the busiest.
        total: the same for all clients together.
        burst: inputs that may come at once: four times those of the largest request.
        entities: redacted values per text, so far.
    """

    def __init__(self) -> None:
        self.rate = self.total = _LEAST_RATE
        self.burst = 0.0
        self.entities = 0.0
        self._started: float | None = None
        self._inputs: Counter[str] = Counter()
        self._texts = self._found = 0

    def __repr__(self) -> str:
        return f"<Baseline of {self._texts} texts>"

    def add(self, client: str, now: float, inputs: int, found: int) -> None:
        """One request, with texts and how many values were redacted in them."""
        if self._started is None:
            self._started = now
        if client in self._inputs or len(self._inputs) < _MOST_NAMES:
            self._inputs[client] += inputs
        self.burst = max(self.burst, _FACTOR * inputs)
        self._texts += inputs
        self._found += found
        self.entities = self._found / max(1, self._texts)

    def finish(self, now: float) -> None:
        """Turn counts into rates, and forget who sent how much."""
        seconds = max(_LEAST_SECONDS, now - (now if self._started is None else self._started))
        busiest = max(self._inputs.values(), default=0)
        self.rate = max(_LEAST_RATE, _FACTOR * busiest / seconds)
        self.total = max(_FACTOR * _LEAST_RATE, _FACTOR * self._texts / seconds)
        self._inputs.clear()
