"""Everything the service can be told, in one typed object: from flags, the environment and a TOML file."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from .. import SettingsError
from ..privacy.process import is_secret
from .online import BATCH_TOKENS, QUEUE_TOKENS

PREFIX = "CLOISTER_"

Positive = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What `cloister serve` runs by.

    Attributes:
        bundles: `[NAME=]FOLDER` of the models that are there from the start.
        models: folder whose bundles may be loaded while the service runs.
        host, port: where it listens; port 0 takes a free one.
        allowed_hosts: names under which it may be asked; by default those of the loopback interface, or any on a
            public address.
        insecure_public: allow a public address without API keys.
        policy: a preset, the path of a policy, or `off`.
        identity, public_key: for sealed bundles, the device's identity (file, `env:NAME` or `fd:N`) and the publisher's
            public key; with them no other bundles are served.
        min_version: lowest version of a sealed bundle.
        bundle_ids: `NAME=ID`, the id that the sealed bundle of a name must have.
        audit, audit_key: folder and secret key of the audit log.
        audit_retention: days after which the audit log's records, and the keys of their digests, are deleted.
        api_key_file: lines `NAME sha256:HEX`; the variable CLOISTER_API_KEY may hold one more key.
        admin_key_file: the same for whoever may load and unload models; the variable CLOISTER_ADMIN_KEY.
        tls_certificate, tls_key: PEM files.
        provider: `cpu`, `cuda` or `auto`.
        threads: threads of one run; by default 1, since runs side by side answer more than one run on all threads.
        workers: runs at once; by default the processors divided by `threads`.
        batch_tokens, queue_tokens: token budget of a batch, and most tokens that wait.
        memory_limit: such as `2GiB`; above it new requests are refused.
        prompt_cache: most memory for beginnings of prompts that a model which writes need not read again; `0` for none.
        timeout: seconds a request may take at most.
        drain: seconds that accepted requests may still take on shutdown.
        max_body: bytes of a request's body.
        max_inputs: texts of one request.
        max_requests, client_requests: requests at once, of all and of one client.
        client_rate: requests per second of one client.
        log_level: of the JSON lines on standard error; `info` has a line for every request.
        traces: an OTLP endpoint over HTTP, or `console`.
        alert_webhook: where alerts of the monitor are posted; https, or http to the loopback interface.
    """

    bundles: list[str] = []
    models: str | None = None
    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 8000
    allowed_hosts: list[str] = []
    insecure_public: bool = False
    policy: str = "identifiers"
    identity: str | None = None
    public_key: str | None = None
    min_version: Annotated[int, msgspec.Meta(ge=0)] = 0
    bundle_ids: list[str] = []
    audit: str | None = None
    audit_key: str | None = None
    audit_retention: Positive | None = None
    api_key_file: str | None = None
    admin_key_file: str | None = None
    tls_certificate: str | None = None
    tls_key: str | None = None
    provider: Literal["auto", "cpu", "cuda"] = "auto"
    threads: Positive = 1
    workers: Positive | None = None
    batch_tokens: Positive = BATCH_TOKENS
    queue_tokens: Positive = QUEUE_TOKENS
    memory_limit: str | None = None
    prompt_cache: str = "256MiB"
    timeout: Seconds = 30.0
    drain: Seconds = 30.0
    max_body: Positive = 16 << 20
    max_inputs: Positive = 2048
    max_requests: Positive = 4096
    client_requests: Positive = 4096
    client_rate: Seconds | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    traces: str | None = None
    alert_webhook: str | None = None


def read_settings(
    flags: Mapping[str, Any], file: Path | None = None, environment: Mapping[str, str] | None = None
) -> Settings:
    """Settings from three places: a flag wins over a variable `CLOISTER_NAME`, a variable over the file.

    Args:
        flags: by field name; None where a flag was not given.
        file: TOML with the fields' names at the top level.
        environment: `os.environ` unless given. A list is written with commas.

    Raises:
        SettingsError: an unknown name, a wrong type or value, or a file that cannot be read.
    """
    values: dict[str, Any] = {} if file is None else _toml(file)
    known = {field.name: field for field in msgspec.structs.fields(Settings)}
    variables = os.environ if environment is None else environment
    for name in known:
        given = variables.get(PREFIX + name.upper())
        if given is not None:
            values[name] = [x for x in given.split(",") if x] if known[name].type == list[str] else given
    values.update({name: value for name, value in flags.items() if value not in (None, [], ())})
    unknown = sorted(values.keys() - known.keys())
    if unknown:
        raise SettingsError(f"unknown setting: {unknown[0]}", hint=f"known are {', '.join(known)}")
    try:
        # Variables are strings, so numbers and booleans may come as such.
        settings = msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(
            f"a setting is invalid: {error}", hint="`cloister serve --print-config` shows them"
        ) from None
    if any(is_secret(source) for source in (settings.identity, settings.audit_key) if source is not None):
        raise SettingsError(
            "a secret key stands where its file belongs", hint="make a new key, and give its file, env:NAME or fd:N"
        )
    return settings


def _toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError:
        raise SettingsError("the settings file cannot be read", hint="check the path given with --config") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"the settings file is not TOML: {error}", hint="correct it") from None


def as_toml(settings: Settings) -> str:
    """Settings as the TOML that gives the same ones. Keys are never among them."""
    lines = []
    for name, value in msgspec.to_builtins(settings).items():
        if value is None:
            lines.append(f"# {name} =")
        else:
            lines.append(f"{name} = {msgspec.json.encode(value).decode()}")
    return "\n".join(lines) + "\n"
