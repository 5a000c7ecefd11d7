"""The OpenAPI 3.1 description, made of the table of routes."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from ... import __version__
from . import bodies
from .gate import Route

_MEANING = {
    200: "Done.",
    400: "The request is not as it should be.",
    401: "No API key, or an unknown one.",
    404: "No such model.",
    408: "The body did not arrive in time.",
    413: "A text, or the request, is too long.",
    415: "The body is not JSON.",
    422: "Understood, and not possible with this model.",
    429: "Full; try again after `Retry-After` seconds.",
    500: "The model or the service failed on this request.",
    503: "Shutting down, or redaction or audit failed.",
    504: "The request's deadline passed.",
}
_REFERENCE = "#/components/schemas/{name}"


def describe(routes: Sequence[Route]) -> dict[str, Any]:
    """The description as plain values."""
    kinds = [k for r in routes for k in (r.body, r.answer) if isinstance(k, type)]
    kinds += [bodies.ErrorAnswer, bodies.RepositoryModel]
    _, schemas = msgspec.json.schema_components(list(dict.fromkeys(kinds)), ref_template=_REFERENCE)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Cloister",
            "version": __version__,
            "description": "Private, fast inference. Texts are redacted before a model sees them.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in re.findall(r"{(\w+)}", route.path)
    ]
    errors = set(route.errors)
    if route.admitted:
        errors |= {400, 408, 413, 429, 503}
        parameters.append(
            {
                "name": "X-Request-Timeout-Ms",
                "in": "header",
                "description": "Milliseconds until the client gives up.",
                "schema": {"type": "integer", "minimum": 1, "maximum": 999_999_999},
            }
        )
    if route.access != "open":
        errors.add(401)
    errors.add(400)  # a Host header that names another host
    operation: dict[str, Any] = {
        "operationId": f"{route.method.lower()}{re.sub(r'[^a-z0-9]+', '_', route.path.lower())}".rstrip("_"),
        "summary": route.summary,
        "tags": [route.tag],
        "parameters": parameters,
        "responses": {
            "200": {"description": _MEANING[200], "content": _content(route)},
            **{str(status): _error(status) for status in sorted(errors)},
        },
    }
    if route.access != "open":
        operation["security"] = [{"key": []}] if route.access == "admin" else [{}, {"key": []}]
    if route.body is not None:
        media: dict[str, Any] = {"schema": {"$ref": _REFERENCE.format(name=route.body.__name__)}}
        if route.example is not None:
            media["example"] = route.example
        operation["requestBody"] = {"required": True, "content": {"application/json": media}}
    return operation


def _content(route: Route) -> dict[str, Any]:
    answer, path = route.answer, route.path
    if isinstance(answer, type):
        content: dict[str, Any] = {"application/json": {"schema": {"$ref": _REFERENCE.format(name=answer.__name__)}}}
        if route.streams:
            content["text/event-stream"] = {"schema": {"type": "string"}}
        return content
    if answer == "application/json" and path.startswith("/v2/repository"):
        items = {"$ref": _REFERENCE.format(name="RepositoryModel")}
        return {answer: {"schema": {"type": "array", "items": items}}}
    if answer == "application/json":
        return {answer: {"schema": {"type": "object"}}}
    return {answer: {"schema": {"type": "string"}}}


def _error(status: int) -> dict[str, Any]:
    return {
        "description": _MEANING[status],
        "content": {"application/json": {"schema": {"$ref": _REFERENCE.format(name="ErrorAnswer")}}},
    }
