"""`cloister serve`: models over HTTP."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from .. import MissingExtra
from .options import Identity, PublicKey


def serve(
    bundles: Annotated[list[str] | None, typer.Argument(help="[NAME=]BUNDLE …", show_default=False)] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on. [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one. [default: 8000]")] = None,
    policy: Annotated[
        str | None, typer.Option(help="Redaction: a preset, a policy file, or off. [default: identifiers]")
    ] = None,
    audit: Annotated[str | None, typer.Option(help="Folder of the audit log.")] = None,
    identity: Identity = None,
    public_key: PublicKey = None,
    min_version: Annotated[int | None, typer.Option(help="Refuse sealed bundles of a lower version.", min=0)] = None,
    bundle_id: Annotated[list[str] | None, typer.Option(help="NAME=ID: the id the sealed bundle must have.")] = None,
    audit_key: Annotated[
        str | None, typer.Option(help="Secret key of the audit log. [default: DIR/audit.key, made on first use]")
    ] = None,
    audit_retention: Annotated[
        int | None, typer.Option(help="Days after which audit records and the keys of their digests are deleted.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file with any of the settings.")] = None,
    models: Annotated[str | None, typer.Option(help="Folder of bundles that may be loaded while serving.")] = None,
    memory_limit: Annotated[str | None, typer.Option(help="Refuse new requests above it, for example 2GiB.")] = None,
    prompt_cache: Annotated[
        str | None, typer.Option(help="Memory for beginnings of prompts, 0 for none. [default: 256MiB]")
    ] = None,
    api_key_file: Annotated[str | None, typer.Option(help="API keys: lines NAME sha256:HEX.")] = None,
    admin_key_file: Annotated[str | None, typer.Option(help="Keys that may load and unload models.")] = None,
    allowed_host: Annotated[list[str] | None, typer.Option(help="A name the service may be asked under.")] = None,
    insecure_public: Annotated[
        bool, typer.Option("--insecure-public", help="Allow a public address without API keys.")
    ] = False,
    tls_certificate: Annotated[str | None, typer.Option(help="PEM file.")] = None,
    tls_key: Annotated[str | None, typer.Option(help="PEM file.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error. [default: warning]")] = None,
    print_config: Annotated[bool, typer.Option("--print-config", help="Print the settings as TOML and exit.")] = False,
) -> None:
    """Serve bundles over HTTP, with redaction before and the promises of the documentation around every request.

    Every setting can also be a variable (CLOISTER_PORT=9000) or a line of the TOML file given with --config;
    --print-config shows all of them.

    Example: cloister serve sentiment=./bundle --port 8000
    """
    from ..runtime.settings import as_toml, read_settings

    flags = {
        "bundles": bundles,
        "host": host,
        "port": port,
        "policy": policy,
        "identity": identity,
        "public_key": public_key,
        "min_version": min_version,
        "bundle_ids": bundle_id,
        "audit": audit,
        "audit_key": audit_key,
        "audit_retention": audit_retention,
        "models": models,
        "memory_limit": memory_limit,
        "prompt_cache": prompt_cache,
        "api_key_file": api_key_file,
        "admin_key_file": admin_key_file,
        "allowed_hosts": allowed_host,
        "insecure_public": insecure_public or None,
        "tls_certificate": tls_certificate,
        "tls_key": tls_key,
        "log_level": log_level,
    }
    settings = read_settings(flags, config)
    if print_config:
        sys.stdout.write(as_toml(settings))
        return
    try:
        from ..runtime.http.server import run
    except ModuleNotFoundError as error:
        raise MissingExtra("the web server is not installed", hint="pip install 'cloister[serve]'") from error
    run(settings)
