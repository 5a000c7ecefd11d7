"""Redaction, audit and sealing. Knows texts, bytes and paths; never imports the runtime.

Names are imported on first use, so that `import cloister.privacy` stays light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .audit.log import AuditLog as AuditLog
    from .detector import TaggedSpan as TaggedSpan
    from .detector import Tagger as Tagger
    from .jsondoc import redact_json as redact_json
    from .policy import Policy as Policy
    from .policy import PolicyError as PolicyError
    from .redact import Redaction as Redaction
    from .redact import Redactor as Redactor
    from .scan import RedactionError as RedactionError
    from .spans import Span as Span
    from .stream import RedactionStream as RedactionStream
    from .unseal import Unseal as Unseal
    from .vault import RestoreStream as RestoreStream

_HOMES = {
    "AuditLog": "audit.log",
    "Policy": "policy",
    "PolicyError": "policy",
    "Redaction": "redact",
    "RedactionError": "scan",
    "RedactionStream": "stream",
    "Redactor": "redact",
    "RestoreStream": "vault",
    "Span": "spans",
    "TaggedSpan": "detector",
    "Tagger": "detector",
    "Unseal": "unseal",
    "redact_json": "jsondoc",
}

__all__ = list(_HOMES)

# Packages of the extras; anything else that is missing is a fault of the installation.
_EXTRA = ("cryptography", "hyperscan", "phonenumbers", "re2", "regex", "stdnum")


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(f".{home}", __name__), name)
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA:
            raise
        from .. import MissingExtra

        raise MissingExtra(
            f"This needs the package {error.name}.",
            hint="Run pip install 'cloister[privacy]' or 'cloister[edge]'.",
        ) from error
