"""`cloister predict`: texts as arguments or JSON Lines on stdin, one JSON result a line on stdout."""

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from .. import CloisterError, InvalidInput, StorageError
from .options import (
    BundleFolder,
    BundleId,
    Identity,
    MinVersion,
    Provider,
    ProviderName,
    PublicKey,
    VariantName,
    unseal,
)

_BATCH = 256
_HINT = 'a line is {"id": …, "text": "…"} and for pairs also "text_pair"'


@dataclass(frozen=True)
class _Line:
    """One input, or the reason why a line is none."""

    identity: object
    input: str | tuple[str, str] | None
    error: CloisterError | None = None


def predict(
    bundle: BundleFolder,
    texts: Annotated[list[str] | None, typer.Argument(help="Texts; without any, JSON Lines on stdin.")] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            help="Zero-shot classification, also by a text-generation bundle: what to choose from, separated by commas."
        ),
    ] = None,
    examples: Annotated[
        Path | None,
        typer.Option(
            help='With --labels on a text-generation bundle: JSON Lines {"text": …, "label": …} to show first.'
        ),
    ] = None,
    chat: Annotated[
        bool | None,
        typer.Option(
            "--chat/--no-chat",
            help="With --labels on a text-generation bundle: ask in the model's chat template, or as one text. "
            "[default: the template where there is one]",
        ),
    ] = None,
    top_k: Annotated[int, typer.Option(help="Fill-mask: most candidates of a mask.", min=1)] = 5,
    truncate: Annotated[
        bool, typer.Option("--truncate", help="Answer a text over the window from its beginning.")
    ] = False,
    provider: ProviderName = Provider.auto,
    variant: VariantName = None,
    identity: Identity = None,
    public_key: PublicKey = None,
    min_version: MinVersion = 0,
    bundle_id: BundleId = None,
) -> None:
    r"""Answer texts with a bundle, in order, one JSON object a line.

    Lines on stdin are {"id": …, "text": …, "text_pair": …}; for question answering `text` is the question and
    `text_pair` the context, for ranking the query and the document. A bad line gives an `error` object in its place,
    and exit 1 at the end.

    Example: cloister predict sentiment "a delight from start to finish"
    """
    from ..runtime.engine import Options
    from ..runtime.loading import load

    options = Options(provider=provider.value, variant=variant)
    engine = load(bundle, options=options, unseal=unseal(identity, public_key, min_version, bundle_id))
    asked: dict[str, Any] = {"truncate": truncate, "top_k": top_k, "labels": _labels(labels)}
    if (examples is not None or chat is not None) and engine.task != "text-generation":
        raise InvalidInput(
            "this model takes no examples and no chat", hint="--examples and --chat need a text-generation bundle"
        )
    if examples is not None:
        asked["examples"] = _examples(examples)
    if chat is not None:
        asked["chat"] = chat
    engine.predict([], **asked)  # labels that do not fit are one error, not one for each line
    lines = _arguments(texts) if texts else _read(sys.stdin.buffer)
    failed = False
    while batch := list(islice(lines, _BATCH)):
        for result in _answer(engine, batch, asked):
            failed = failed or "error" in result
            sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n")
        sys.stdout.flush()
    if failed:
        raise typer.Exit(1)


def _examples(path: Path) -> list[tuple[str, str]]:
    found = []
    try:
        for raw in path.read_text("utf-8").splitlines():
            if raw.strip():
                line = json.loads(raw)
                found.append((line["text"], line["label"]))
    except OSError as error:
        raise StorageError("the examples cannot be read", hint="check the path and its permissions") from error
    except (ValueError, KeyError, TypeError):
        found = [("", 0)]
    if not all(isinstance(part, str) for pair in found for part in pair):
        raise InvalidInput("the examples cannot be read", hint='a line is {"text": "…", "label": "…"}')
    return found


def _labels(given: str | None) -> list[str] | None:
    return None if given is None else [label.strip() for label in given.split(",")] if given.strip() else []


def _arguments(texts: Iterable[str]) -> Iterator[_Line]:
    for text in texts:
        yield _Line(None, text)


def _read(stream: BinaryIO) -> Iterator[_Line]:
    for raw in stream:
        if raw.strip():
            yield _parse(raw)


def _parse(raw: bytes) -> _Line:
    try:
        line = json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError:
        return _Line(None, None, InvalidInput("the line is not UTF-8", hint="convert the input to UTF-8"))
    except (ValueError, RecursionError):
        return _Line(None, None, InvalidInput("the line is not JSON", hint=_HINT))
    if not isinstance(line, dict):
        return _Line(None, None, InvalidInput("the line is not a JSON object", hint=_HINT))
    identity, text, pair = line.get("id"), line.get("text"), line.get("text_pair")
    unknown = line.keys() - {"id", "text", "text_pair"}
    if not isinstance(text, str) or not isinstance(pair, str | None) or unknown:
        return _Line(identity, None, InvalidInput("the line has not the expected fields", hint=_HINT))
    return _Line(identity, text if pair is None else (text, pair))


def _answer(engine: Any, batch: list[_Line], asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """One result per line; where the batch as a whole is refused, its lines are asked one by one."""
    from ..runtime.results import to_json

    good = [line for line in batch if line.error is None]
    try:
        answers = iter([to_json(p) for p in engine.predict([line.input for line in good], **asked)])
    except InvalidInput:
        answers = iter([_single(engine, line, asked) for line in good])
    for line in batch:
        fields = next(answers) if line.error is None else _error(line.error)
        yield {**({} if line.identity is None else {"id": line.identity}), **fields}


def _single(engine: Any, line: _Line, asked: dict[str, Any]) -> dict[str, Any]:
    from ..runtime.results import to_json

    try:
        return to_json(engine.predict([line.input], **asked)[0])
    except InvalidInput as error:
        return _error(error)


def _error(error: CloisterError) -> dict[str, Any]:
    return {"error": {"code": error.code, "message": str(error)}}
