"""`cloister redact`: stdin to stdout, streaming text or JSON Lines."""

from __future__ import annotations

import codecs
import json
import os
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import typer

from .. import CloisterError, InvalidInput

if TYPE_CHECKING:
    from ..privacy.redact import Redactor

__all__ = ["redact"]

# Bytes asked of a pipe at once; a pipe hands over less as soon as it has something.
_CHUNK = 1 << 16


class Language(StrEnum):
    """Language of the text."""

    en = "en"
    zh = "zh"
    auto = "auto"


def redact(
    policy: str = typer.Option(
        "balanced", help="A preset (identifiers, balanced, strict, gdpr, pipl, pci, secrets) or a TOML file."
    ),
    language: Language = typer.Option(Language.auto, help="Language of the text; auto decides by segment."),  # noqa: B008
    jsonl: bool = typer.Option(False, "--jsonl", help='Lines {"id","text"} in, lines {"id","text","spans"} out.'),
    no_tagger: bool = typer.Option(
        False, "--no-tagger", help="Patterns only, also where a named-entity model is installed."
    ),
    prepare: bool = typer.Option(False, "--prepare", help="Compile the pattern database into the cache and exit."),
) -> None:
    """Replace personal data and secrets in what comes in on stdin.

    Example: echo 'Call me at 415-555-0132' | cloister redact
    """
    from ..privacy import Redactor

    redactor = Redactor(policy=policy, tagger=None) if no_tagger or prepare else Redactor(policy=policy)
    if redactor.notice and not prepare:
        sys.stderr.write(f"note: {redactor.notice} (--no-tagger silences this)\n")
    if prepare:
        path = redactor.prepare()
        sys.stderr.write("nothing to prepare: Hyperscan is not installed\n" if path is None else f"prepared {path}\n")
    elif jsonl:
        _lines(redactor, language.value)
    else:
        _text(redactor, language.value)


def _text(redactor: Redactor, language: str) -> None:
    stream = redactor.stream(language)
    decoder = codecs.getincrementaldecoder("utf-8")()
    while True:
        data = os.read(sys.stdin.fileno(), _CHUNK)
        try:
            chunk = decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            raise InvalidInput("The input is not UTF-8.", hint="Convert it first, for example with iconv.") from error
        _write(stream.feed(chunk) if data else stream.feed(chunk) + stream.close())
        if not data:
            return


def _lines(redactor: Redactor, language: str) -> None:
    failed = False
    for line in sys.stdin.buffer:
        if line.strip():
            answer, good = _line(redactor, language, line)
            failed = failed or not good
            _write(json.dumps(answer, ensure_ascii=False) + "\n")
    if failed:
        raise InvalidInput("Some lines could not be redacted.", hint="Their place in the output holds an error.")


def _line(redactor: Redactor, language: str, line: bytes) -> tuple[dict[str, Any], bool]:
    identity: Any = None
    try:
        record = _record(line)
        identity = record.get("id")
        if not isinstance(record.get("text"), str):
            raise InvalidInput('The line has no "text".', hint='Write {"id": 1, "text": "…"}.')
        redaction = redactor.redact(record["text"], language)
    except CloisterError as error:
        return {"id": identity, "error": {"code": error.code, "message": error.message}}, False
    spans = [
        {"start": s.start, "end": s.end, "entity": s.entity, "score": round(s.score, 4), "replacement": s.replacement}
        for s in redaction.spans
    ]
    return {"id": identity, "text": redaction.text, "spans": spans}, True


def _record(line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise InvalidInput("The line is not JSON in UTF-8.", hint='Write {"id": 1, "text": "…"}.') from error
    if not isinstance(record, dict):
        raise InvalidInput("The line is not a JSON object.", hint='Write {"id": 1, "text": "…"}.')
    return record


def _write(text: str) -> None:
    # Lone surrogates come from JSON escapes; they cannot be written as UTF-8.
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
    sys.stdout.buffer.flush()
