"""The ASGI application: settings become models, guard, gate and routes."""

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.routing import Route as Path_
from starlette.routing import Router

from ... import NotFound, SettingsError
from ...privacy.monitoring import Alert, Monitor
from ...privacy.policy import Policy
from ...privacy.redact import Redactor, default_tagger
from ...privacy.unseal import Unseal
from ..consistency import is_plain
from ..engine import Engine, Options
from ..guard import Guard, OpenGuard, PolicyGuard
from ..loading import load
from ..memory import MemoryLimit, parse_size
from ..models import Models
from ..online import Concurrency
from ..processor import available_threads
from ..records import AuditRecords
from ..service import Service
from ..settings import Settings
from ..tagging import Taggers
from ..trail import Audit, NoAudit
from ..watch import Watch
from ..webhook import Webhook
from . import openapi, page
from .auth import Keys, read_keys
from .errors import status_of
from .gate import ANY_METHOD, Doors, Gate, Receive, Route, Scope, Send, State
from .limits import RequestLimits
from .operations import Operations, Static
from .routes import table
from .telemetry import Telemetry, Tracer
from .v1 import V1
from .v2 import V2
from .writes import Writes

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass
class Application:
    """The whole service without a socket: an ASGI application and what its server needs to start and stop it."""

    settings: Settings
    service: Service
    state: State
    limits: RequestLimits
    telemetry: Telemetry
    tracer: Tracer | None
    webhook: Webhook | None
    router: Router

    async def start(self) -> None:
        """Load the taggers of the policy and the models of the settings.

        Raises what `load` raises; a name that comes twice is a SettingsError.
        """
        await asyncio.to_thread(self.service.models.taggers.start)
        for name, path in named_bundles(self.settings.bundles):
            await self.service.models.add(name, path)
        await self.service.audit.start()

    async def stop(self) -> None:
        """Finish what was accepted and close everything."""
        await self.service.models.close(self.settings.drain)
        self.service.close()
        await self.service.audit.close()
        if self.webhook is not None:
            await asyncio.to_thread(self.webhook.close)
        if self.tracer is not None:
            self.tracer.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http":
            await self.router(scope, receive, send)


def build(settings: Settings, *, guard: Guard | None = None, audit: Audit | None = None) -> Application:
    """Put the service together; nothing is loaded yet.

    Args:
        settings: what it runs by.
        guard, audit: instead of those that the settings name.

    Raises:
        SettingsError: settings contradict each other.
        PolicyError: the policy cannot be used.
        MissingExtra: what they need is not installed.
    """
    keys = read_keys(_path(settings.api_key_file), "CLOISTER_API_KEY")
    admin_keys = read_keys(_path(settings.admin_key_file), "CLOISTER_ADMIN_KEY")
    _check(settings, keys)
    tracer = Tracer(settings.traces) if settings.traces is not None else None
    telemetry = Telemetry(tracer)
    limit = parse_size(settings.memory_limit) if settings.memory_limit is not None else None
    memory = MemoryLimit(limit)
    concurrency = Concurrency(settings.workers, settings.batch_tokens, settings.queue_tokens)
    options = Options(
        provider=settings.provider,
        threads=settings.threads,
        loop_threads=settings.threads * (settings.workers or max(1, available_threads() // settings.threads)),
        memory_limit=limit,
        prompt_cache=parse_size(settings.prompt_cache),
    )

    unseal = sealed_by(settings)

    def load_bundle(name: str, path: Path) -> Engine:
        memory.require(sum(file.stat().st_size for file in path.iterdir()) if path.is_dir() else 0)
        return load(path, options=options, unseal=unseal(name))

    models = Models(
        load_bundle,
        concurrency=concurrency,
        folder=_path(settings.models),
        observe=telemetry.batch,
        drain=settings.drain,
    )
    telemetry.watch(models)
    chosen = guard or _guard(settings.policy, models.taggers)
    webhook = Webhook(settings.alert_webhook, telemetry.posted) if settings.alert_webhook is not None else None
    watch = _watch(chosen, telemetry, webhook)
    service = Service(models, chosen, audit or _audit(settings, chosen), status_of, memory, watch)
    state = State()
    limits = RequestLimits(settings.max_requests, settings.client_requests, settings.client_rate)
    doors = Doors(
        hosts=_hosts(settings),
        keys=keys,
        admin_keys=admin_keys,
        limits=limits,
        body_bytes=settings.max_body,
        body_seconds=min(30.0, settings.timeout),
        timeout=settings.timeout,
    )
    routes = table(
        V1(service, settings.max_inputs),
        Writes(service, settings.max_inputs),
        V2(service, settings.max_inputs),
        Operations(models, state, telemetry),
    )
    documents = _documents(routes)
    router = Router(
        routes=[
            Path_(path, endpoint=Gate(methods, service, doors, state, telemetry))
            for path, methods in _by_path([*routes, *documents]).items()
        ],
        redirect_slashes=False,
        default=Gate([_nowhere()], service, doors, state, telemetry),
    )
    return Application(settings, service, state, limits, telemetry, tracer, webhook, router)


def _by_path(routes: Sequence[Route]) -> dict[str, list[Route]]:
    found: dict[str, list[Route]] = {}
    for route in routes:
        found.setdefault(route.path, []).append(route)
    return found


def _documents(routes: Sequence[Route]) -> list[Route]:
    description = Static(json.dumps(openapi.describe(routes)).encode(), b"application/json")
    policy = (b"content-security-policy", page.CONTENT_SECURITY_POLICY)
    html = Static(page.render(routes), b"text/html; charset=utf-8", (policy,))
    return [
        Route("GET", path, static.get, summary, "text/html", access="open", admitted=False, tag="Documentation")
        for path, static, summary in (
            ("/openapi.json", description, "This service's OpenAPI description"),
            ("/docs", html, "This service's documentation"),
        )
    ]


def _nowhere() -> Route:
    async def nowhere(body: None, incoming: Any) -> Any:
        raise NotFound("there is no such route", hint="GET /docs lists the routes")

    return Route(ANY_METHOD, "-", nowhere, "", "text/plain", access="open", admitted=False)


def named_bundles(given: Sequence[str]) -> list[tuple[str, Path]]:
    """`[NAME=]FOLDER` as names and folders.

    Raises:
        SettingsError: a name is not plain, or comes twice.
    """
    found: dict[str, Path] = {}
    for one in given:
        name, equals, folder = one.partition("=")
        path = Path(folder if equals else one)
        name = name if equals else path.resolve().name
        if not is_plain(name):
            raise SettingsError("a model's name has other characters than letters, digits and .-_", hint="NAME=BUNDLE")
        if name in found:
            raise SettingsError("two models have the same name", hint="give one of them another: NAME=BUNDLE")
        found[name] = path
    return list(found.items())


def sealed_by(settings: Settings) -> Callable[[str], Unseal | None]:
    """From a model's name to the keys for its sealed bundle; None where no sealed ones are served.

    Raises:
        SettingsError: a part of them is missing, or an id is not `NAME=ID`.
    """
    ids = dict(pair.partition("=")[::2] for pair in settings.bundle_ids)
    if not all(name and wanted for name, wanted in ids.items()):
        raise SettingsError("the id of a sealed bundle cannot be read", hint="write it like NAME=ID")
    if settings.identity is None and settings.public_key is None and not settings.min_version and not ids:
        return lambda name: None
    if settings.identity is None or settings.public_key is None:
        raise SettingsError(
            "sealed bundles need an identity and a public key", hint="set both --identity and --public-key"
        )
    every = Unseal(settings.identity, settings.public_key, settings.min_version)
    return lambda name: every.expecting(ids.get(name))


def _guard(name: str, taggers: Taggers) -> Guard:
    if name == "off":
        return OpenGuard()
    policy = Policy.load(name)
    tagger = default_tagger(policy)
    if tagger is None:
        return PolicyGuard(Redactor(policy))  # which says what it lacks
    return PolicyGuard(Redactor(policy, tagger=taggers.scheduled(tagger)))


def _watch(guard: Guard, telemetry: Telemetry, webhook: Webhook | None) -> Watch:
    """The monitor, by the thresholds of the policy; by the defaults where there is no policy."""

    def listen(alert: Alert) -> None:
        telemetry.alerted(alert)
        if webhook is not None:
            webhook.send(alert)

    monitor = Monitor(guard.monitor if isinstance(guard, PolicyGuard) else None)
    telemetry.monitors(monitor)
    return Watch(monitor, listen)


def _audit(settings: Settings, guard: Guard) -> Audit:
    if settings.audit is None:
        return NoAudit()
    from ...privacy.audit import AuditLog
    from ...privacy.keyfiles import read_secret_key

    key = None if settings.audit_key is None else read_secret_key(settings.audit_key)
    log = AuditLog(settings.audit, key)
    if log.made_key:
        sys.stderr.write(
            f"warning: made the key of the audit log, {settings.audit}/audit.key; whoever can read the folder can "
            "forge the log: keep the key elsewhere with --audit-key\n"
        )
    return AuditRecords(log, guard.digest, settings.audit_retention)


def _check(settings: Settings, keys: Keys) -> None:
    if settings.host not in LOOPBACK and not keys and not settings.insecure_public:
        raise SettingsError(
            "the address is public and no API key is set",
            hint="set --api-key-file, bind to 127.0.0.1, or pass --insecure-public",
        )
    if (settings.tls_certificate is None) != (settings.tls_key is None):
        raise SettingsError("TLS needs a certificate and a key", hint="set both --tls-certificate and --tls-key")
    if not settings.bundles and settings.models is None:
        raise SettingsError("there is no model to serve", hint="name a bundle, or a folder of them with --models")
    if settings.audit is None and (settings.audit_key is not None or settings.audit_retention is not None):
        raise SettingsError("settings of the audit log, and no audit log", hint="name its folder with --audit")
    if settings.models is not None and not Path(settings.models).is_dir():
        raise SettingsError("the folder of models is not a folder", hint="check the path given with --models")


def _hosts(settings: Settings) -> frozenset[str]:
    if settings.allowed_hosts:
        return frozenset(name.lower() for name in settings.allowed_hosts)
    return frozenset({*LOOPBACK, "[::1]"}) if settings.host in LOOPBACK else frozenset()


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
