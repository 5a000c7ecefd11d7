"""Metrics, traces and log lines of requests and batches. Names, counts and times; never content.

Metric labels are route templates, names of models and taggers, and error codes: all known before a request comes, so a
client cannot make the number of series grow.
"""

import logging
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from ... import MissingExtra
from ...privacy.monitoring import Alert, Monitor
from ..batching import Batch
from ..memory import resident
from ..trail import Trail
from ..webhook import Result
from ..writers import Writers

if TYPE_CHECKING:
    from ..models import Models

METRICS_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_TOKENS = (8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)

_requests_log = logging.getLogger("cloister.requests")
_alerts_log = logging.getLogger("cloister.alerts")


class Telemetry:
    """Takes in what happened. Safe to call from threads."""

    def __init__(self, tracer: "Tracer | None" = None) -> None:
        self.registry = CollectorRegistry()
        self._tracer = tracer
        self._requests = Counter("cloister_requests", "Requests answered.", ["route", "status"], registry=self.registry)
        self._errors = Counter(
            "cloister_errors", "Requests that ended with an error.", ["code"], registry=self.registry
        )
        self._seconds = Histogram(
            "cloister_request_seconds", "Time of a request.", ["route"], buckets=_SECONDS, registry=self.registry
        )
        self._stages = Histogram(
            "cloister_stage_seconds", "Time of a stage.", ["stage"], buckets=_SECONDS, registry=self.registry
        )
        self._tokens = Counter("cloister_tokens", "Tokens read by models.", ["model"], registry=self.registry)
        self._written = Counter(
            "cloister_generated_tokens", "Tokens written by models.", ["model"], registry=self.registry
        )
        self._pieces = Counter("cloister_pieces", "Pieces of text from models.", ["model"], registry=self.registry)
        self._first_piece = Histogram(
            "cloister_first_piece_seconds",
            "Time from a request to the model's first piece of text.",
            ["model"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._found = Counter(
            "cloister_found",
            "Values in models' answers that were not in the request.",
            ["entity"],
            registry=self.registry,
        )
        self._redacted = Counter("cloister_redacted", "Values redacted.", ["entity"], registry=self.registry)
        self._batches = Counter("cloister_batches", "Batches run.", ["model", "result"], registry=self.registry)
        self._batch_tokens = Histogram(
            "cloister_batch_tokens", "Tokens of a batch.", ["model"], buckets=_TOKENS, registry=self.registry
        )
        self._batch_seconds = Histogram(
            "cloister_batch_seconds", "Time of a batch.", ["model"], buckets=_SECONDS, registry=self.registry
        )
        self._padding = Histogram(
            "cloister_batch_padding",
            "Share of attention cells of a batch that is padding.",
            ["model"],
            buckets=(0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1),
            registry=self.registry,
        )
        self._waited = Histogram(
            "cloister_queue_seconds",
            "Longest wait of a batch's inputs.",
            ["model"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._alerts = Counter("cloister_alerts", "Alerts of the monitor.", ["kind"], registry=self.registry)
        self._webhook = Counter(
            "cloister_webhook_alerts",
            "Alerts for the webhook, by what became of them.",
            ["result"],
            registry=self.registry,
        )
        memory = Gauge("cloister_resident_bytes", "Memory of the process.", registry=self.registry)
        memory.set_function(lambda: float(resident()))

    def watch(self, models: "Models") -> None:
        """Also show the queues and workers of models and taggers."""
        self.registry.register(_Queues(models))

    def finished(self, trail: Trail) -> None:
        """A request was answered."""
        self._requests.labels(trail.route, str(trail.status)).inc()
        self._seconds.labels(trail.route).observe(trail.seconds)
        for stage, seconds in trail.stages.items():
            self._stages.labels(stage).observe(seconds)
        if trail.code is not None:
            self._errors.labels(trail.code).inc()
        for entity, count in trail.entities.items():
            self._redacted.labels(entity).inc(count)
        if trail.input_tokens and trail.model is not None:
            self._tokens.labels(trail.model).inc(trail.input_tokens)
        if trail.first_piece is not None and trail.model is not None:
            self._first_piece.labels(trail.model).observe(trail.first_piece)
            self._pieces.labels(trail.model).inc(trail.pieces)
            self._written.labels(trail.model).inc(trail.output_tokens)
        for entity, count in trail.found.items():
            self._found.labels(entity).inc(count)
        if self._tracer is not None:
            self._tracer.record(trail)
        if _requests_log.isEnabledFor(logging.INFO):
            _requests_log.info("request", extra={"fields": _fields(trail)})

    def batch(self, model: str, batch: Batch) -> None:
        """A batch ran."""
        self._batches.labels(model, "failed" if batch.failed else "done").inc()
        self._batch_tokens.labels(model).observe(batch.tokens)
        self._batch_seconds.labels(model).observe(batch.seconds)
        self._padding.labels(model).observe(batch.padding)
        self._waited.labels(model).observe(batch.waited)

    def monitors(self, monitor: Monitor) -> None:
        """Also show what a monitor remembers and held back."""
        watched = Gauge("cloister_monitored_clients", "Clients that the monitor remembers.", registry=self.registry)
        watched.set_function(lambda: float(monitor.watched))
        held = Gauge("cloister_alerts_suppressed", "Alerts held back because too many came.", registry=self.registry)
        held.set_function(lambda: float(monitor.suppressed))

    def alerted(self, alert: Alert) -> None:
        """The monitor raised an alert."""
        self._alerts.labels(alert.kind).inc()
        _alerts_log.warning("alert", extra={"fields": alert.fields()})

    def posted(self, result: Result) -> None:
        """An alert was posted to the webhook, or was not."""
        self._webhook.labels(result).inc()

    def exposition(self) -> bytes:
        """Everything in Prometheus's text format."""
        return generate_latest(self.registry)


def _fields(trail: Trail) -> dict[str, Any]:
    return {
        "request_id": trail.request_id,
        "route": trail.route,
        "status": trail.status,
        "code": trail.code,
        "model": trail.model if trail.model_digest is not None else None,
        "ms": round(trail.seconds * 1000, 2),
        "tokens": trail.input_tokens,
        "redacted": sum(trail.entities.values()),
    }


class _Queues(Collector):
    """Gauges of what the schedulers hold, read when somebody looks."""

    def __init__(self, models: "Models") -> None:
        self._models = models

    def collect(self) -> Iterable[GaugeMetricFamily]:
        waiting = GaugeMetricFamily("cloister_queue_tokens", "Tokens that wait.", labels=["model"])
        running = GaugeMetricFamily("cloister_batches_running", "Batches that run.", labels=["model"])
        deaths = GaugeMetricFamily("cloister_worker_deaths", "Workers that died.", labels=["model"])
        for name, online in self._models.online():
            scheduler = online.scheduler
            waiting.add_metric([name], scheduler.waiting_tokens)
            running.add_metric([name], scheduler.running)
            deaths.add_metric([name], scheduler.deaths)
        writing = GaugeMetricFamily("cloister_generations", "Texts being written or waiting.", labels=["model"])
        backlog = GaugeMetricFamily("cloister_backlog_seconds", "Time that they will take.", labels=["model"])
        for model in self._models:
            if isinstance(model.online, Writers):
                writing.add_metric([model.name], model.online.running)
                backlog.add_metric([model.name], model.engine.backlog)
        return waiting, running, deaths, writing, backlog


class Tracer:
    """Spans of requests and their stages through OpenTelemetry.

    Args:
        endpoint: where an OTLP collector listens over HTTP, or `console` for standard error.

    Raises:
        MissingExtra: the exporter for OTLP is not installed.
    """

    def __init__(self, endpoint: str) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter

        exporter: SpanExporter
        if endpoint == "console":
            exporter = ConsoleSpanExporter(out=sys.stderr)
        else:
            try:
                from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            except ImportError:
                raise MissingExtra(
                    "traces over OTLP need an exporter",
                    hint="pip install opentelemetry-exporter-otlp-proto-http, or use --traces console",
                ) from None
            exporter = OTLPSpanExporter(endpoint=endpoint)
        self._provider = TracerProvider(resource=Resource.create({"service.name": "cloister"}))
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("cloister")

    def record(self, trail: Trail) -> None:
        """One span for the request and one for each stage, laid end to end in the order they ran."""
        from opentelemetry.trace import set_span_in_context

        start = int(trail.time * 1e9)
        attributes = {k: v for k, v in _fields(trail).items() if v is not None}
        span = self._tracer.start_span(trail.route, start_time=start, attributes=attributes)
        context, at = set_span_in_context(span), start
        for stage, seconds in trail.stages.items():
            part = self._tracer.start_span(stage, context=context, start_time=at)
            at += int(seconds * 1e9)
            part.end(at)
        span.end(start + int(trail.seconds * 1e9))

    def close(self) -> None:
        """Send what is outstanding."""
        self._provider.shutdown()


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Time, level, logger, event, and the fields that came with it. Exceptions by their type alone: a message
        could carry what a client sent."""
        line: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}",
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = record.exc_info[0].__name__
        return msgspec.json.encode(line).decode()


def log_to_stderr(level: str) -> None:
    """JSON lines of Cloister and its web server on standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name in ("cloister", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.propagate = False
        logger.setLevel(level.upper())
