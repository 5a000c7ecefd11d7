"""Redaction inside JSON documents: chosen texts change, keys and structure stay.

Paths are a subset of JSONPath (RFC 9535): `$`, `.name`, `['name']`, `[0]`, `[*]`, `.*` and `..name` or `..*` for any
depth.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .. import InvalidInput

if TYPE_CHECKING:
    from .redact import Redaction, Redactor

__all__ = ["redact_json"]

_STEP = re.compile(
    r"(?P<deep>\.\.)?(?:\.?(?P<name>[A-Za-z_\u0080-\U0010FFFF][\w-]*|\*)|\[(?:'(?P<quoted>[^']*)'|(?P<index>\d+)|(?P<any>\*))\])"
)

Steps = list[tuple[bool, str | int | None]]


def redact_json(
    redactor: Redactor, document: Any, paths: Iterable[str], language: str = "auto"
) -> tuple[Any, dict[str, Redaction]]:
    """Redact the texts of a JSON value that the paths select, also those anywhere below what they select.

    Args:
        redactor: what redacts; every text is a redaction of its own.
        document: a value as `json.loads` returns it. It is not changed.
        paths: JSONPath expressions, see above.
        language: as in `Redactor.redact`.

    Returns:
        The new document, and the redaction of each text by its normalized path.

    Raises:
        InvalidInput: a path is not one of the forms above.
        RedactionError: as `Redactor.redact`.
    """
    done: dict[str, Redaction] = {}
    steps = [_parse(path) for path in paths]
    return _walk(redactor, document, "$", steps, language, done), done


def _parse(path: str) -> Steps:
    if not path.startswith("$"):
        raise InvalidInput("A path does not begin with $.", hint="Write $.messages[*].content.")
    steps: Steps = []
    position = 1
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            raise InvalidInput(
                "A path is not in the supported part of JSONPath.", hint="Use $, .name, ['name'], [0], [*], .*, ..name."
            )
        key: str | int | None = step["quoted"]
        if step["index"] is not None:
            key = int(step["index"])
        elif step["name"] is not None and step["name"] != "*":
            key = step["name"]
        steps.append((step["deep"] is not None, key))
        position = step.end()
    return steps


def _walk(
    redactor: Redactor, value: Any, at: str, active: list[Steps], language: str, done: dict[str, Redaction]
) -> Any:
    """`active` are what remains of the paths at this place; an empty rest selects the place and all below it."""
    if isinstance(value, str):
        if any(not steps for steps in active):
            done[at] = redactor.redact(value, language)
            return done[at].text
        return value
    if isinstance(value, dict):
        return {
            key: _walk(redactor, item, f"{at}[{key!r}]", _below(active, key), language, done)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [
            _walk(redactor, item, f"{at}[{index}]", _below(active, index), language, done)
            for index, item in enumerate(value)
        ]
    return value


def _below(active: list[Steps], key: str | int) -> list[Steps]:
    following: list[Steps] = []
    for steps in active:
        if not steps:
            following.append(steps)
            continue
        deep, wanted = steps[0]
        if wanted is None or wanted == key:
            following.append(steps[1:])
        if deep:
            following.append(steps)
    return following
