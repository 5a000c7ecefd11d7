"""The documentation page: one HTML document made of the table of routes, without scripts or anything from elsewhere."""

import json
from collections.abc import Sequence
from html import escape

from ... import __version__
from .gate import Route

CONTENT_SECURITY_POLICY = b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 52rem; margin: 2rem auto; padding: 0 1rem; }
h1 { margin-bottom: 0; } h2 { margin-top: 2.5rem; border-bottom: 1px solid #8886; }
section { margin: 1.5rem 0; } h3 { margin: 0; font: 600 1rem ui-monospace, monospace; }
.method { color: #0a7d4f; } @media (prefers-color-scheme: dark) { .method { color: #4fd19a; } }
p { margin: .25rem 0; } .note { opacity: .7; font-size: .9rem; }
pre { overflow-x: auto; padding: .75rem; border: 1px solid #8884; border-radius: 6px; background: #8881; }
"""

_ACCESS = {"open": "no key needed", "key": "API key, where keys are set", "admin": "admin key"}


def render(routes: Sequence[Route]) -> bytes:
    """The page."""
    tags = dict.fromkeys(route.tag for route in routes)
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>",
        f"<title>Cloister {__version__}</title><style>{_STYLE}</style>",
        f"<h1>Cloister {__version__}</h1>",
        "<p>Texts are redacted before a model sees them. Errors are <code>{&quot;error&quot;: {&quot;code&quot;, "
        "&quot;message&quot;, &quot;hint&quot;}}</code>. Every answer carries <code>X-Request-Id</code>; "
        "<code>X-Request-Timeout-Ms</code> sets a deadline. The machine-readable description is "
        "<a href=/openapi.json>/openapi.json</a>.</p>",
    ]
    for tag in tags:
        parts.append(f"<h2>{escape(tag)}</h2>")
        parts += [_section(route) for route in routes if route.tag == tag]
    return "\n".join(parts).encode()


def _section(route: Route) -> str:
    example = ""
    if route.example is not None:
        body = json.dumps(route.example, ensure_ascii=False)
        command = f"curl http://localhost:8000{route.path} -H 'Content-Type: application/json' \\\n  -d '{body}'"
        example = f"<pre>{escape(command)}</pre>"
    errors = ", ".join(map(str, route.errors))
    note = _ACCESS[route.access] + (f" · errors {errors}" if errors else "")
    return (
        f"<section><h3><span class=method>{route.method}</span> {escape(route.path)}</h3>"
        f"<p>{escape(route.summary)}.</p>{example}<p class=note>{escape(note)}</p></section>"
    )
