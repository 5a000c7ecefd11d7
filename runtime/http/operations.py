"""Handlers for whoever runs the service: health, metrics, documentation."""

from ... import Unavailable
from ..models import Models
from . import bodies
from .gate import Incoming, Outgoing, State
from .telemetry import METRICS_TYPE, Telemetry


class Operations:
    """Health and metrics.

    Args:
        models: asked whether they answer.
        state: whether the service is shutting down.
        telemetry: what is shown at /metrics.
    """

    def __init__(self, models: Models, state: State, telemetry: Telemetry) -> None:
        self._models = models
        self._state = state
        self._telemetry = telemetry

    async def live(self, body: None, incoming: Incoming) -> Outgoing:
        """The process answers."""
        return Outgoing(bodies.encode(bodies.Health("live")))

    async def ready(self, body: None, incoming: Incoming) -> Outgoing:
        """Every model answered a probe, and the service is not shutting down."""
        if self._state.draining:
            raise Unavailable("the service is shutting down", hint="send requests to another server", code="draining")
        await self._models.probe()
        return Outgoing(bodies.encode(bodies.Health("ready")))

    async def metrics(self, body: None, incoming: Incoming) -> Outgoing:
        """Prometheus's text format."""
        return Outgoing(self._telemetry.exposition(), METRICS_TYPE)


class Static:
    """A document that does not change: the OpenAPI description, the documentation page."""

    def __init__(self, data: bytes, content_type: bytes, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        self._answer = Outgoing(data, content_type, headers)

    async def get(self, body: None, incoming: Incoming) -> Outgoing:
        """The document."""
        return self._answer
