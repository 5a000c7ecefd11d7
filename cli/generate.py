"""`cloister generate`: text after a prompt, as it comes; JSON Lines for batches; a chat on a terminal."""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

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

_HINT = 'a line is {"id": …, "prompt": "…"} or {"id": …, "messages": [{"role": …, "content": …}]}'


def generate(
    bundle: BundleFolder,
    prompt: Annotated[str | None, typer.Argument(help="Prompt; without, JSON Lines on stdin or a chat.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Most tokens to generate.", min=1)] = None,
    temperature: Annotated[float | None, typer.Option(help="0 takes the most probable token every time.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same text.", min=0)] = None,
    stop: Annotated[list[str] | None, typer.Option(help="Text that ends generation; repeatable.")] = None,
    schema: Annotated[Path | None, typer.Option(help="JSON schema that the text is a document of.")] = None,
    policy: Annotated[
        str | None, typer.Option(help="Redact prompts first and restore the answer: a preset or a TOML file.")
    ] = None,
    source: Annotated[str | None, typer.Option(help="Language of the text, by the model's own code.")] = None,
    target: Annotated[str | None, typer.Option(help="Language to translate into, by the model's own code.")] = None,
    beams: Annotated[int | None, typer.Option(help="Width of beam search, encoder-decoders only.", min=1)] = None,
    provider: ProviderName = Provider.auto,
    variant: VariantName = None,
    identity: Identity = None,
    public_key: PublicKey = None,
    min_version: MinVersion = 0,
    bundle_id: BundleId = None,
) -> None:
    r"""Generate text with a bundle; a prompt is continued as it is, messages go through the model's chat template.

    Lines on stdin are {"id": …, "prompt": …} or {"id": …, "messages": […]}; a bad line gives an `error` object in its
    place, and exit 1 at the end.

    Example: cloister generate assistant "Once upon a time" --max-tokens 40
    """
    from ..runtime.engine import Options
    from ..runtime.generation import Constraint, GenerationOptions
    from ..runtime.loading import load

    options = GenerationOptions(
        max_tokens=max_tokens,
        temperature=temperature,
        seed=seed,
        stop=tuple(stop or ()),
        constraint=None if schema is None else Constraint(json_schema=_schema(schema)),
        num_beams=beams,
        source=source,
        target=target,
    )
    redactor = None if policy is None else _redactor(policy)
    found = Options(provider=provider.value, variant=variant)
    engine = load(bundle, options=found, unseal=unseal(identity, public_key, min_version, bundle_id))
    try:
        if prompt is not None:
            _print(_Answer(engine, prompt, options, redactor))
        elif sys.stdin.isatty():
            _chat(engine, options, redactor)
        elif not _batch(engine, options, redactor):
            raise typer.Exit(1)
    finally:
        engine.close()


def _schema(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise StorageError("the schema cannot be read", hint="check the path and its permissions") from error
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise InvalidInput("the schema is not a JSON object", hint="write a JSON schema", code="constraint_invalid")
    return found


def _redactor(policy: str) -> Any:
    from ..privacy import Redactor

    return Redactor(policy=policy)


class _Answer:
    """A text as it comes. With a redactor the model sees placeholders, and the answer is searched and restored."""

    def __init__(self, engine: Any, prompt: Any, options: Any, redactor: Any) -> None:
        from ..runtime.prompts import Texts

        asked, own = prompt, options
        self._back = self._scan = None
        if redactor is not None:
            texts = Texts([prompt if isinstance(prompt, str) else tuple(prompt)], options)
            conversation = redactor.redact_together(texts.found)
            (asked,), own = texts.guarded(conversation.texts)
            in_json = options.constraint is not None and options.constraint.json_schema is not None
            self._back, self._scan = conversation.restoring(in_json=in_json), conversation.scan()
        self._generation = engine.generate(asked, own)

    def __iter__(self) -> Iterator[str]:
        with self._generation as generation:
            if self._back is None or self._scan is None:
                yield from generation
                return
            for piece in generation:
                yield self._back.feed(self._scan.feed(piece))
                if self._scan.stopped:
                    break
            yield self._back.feed(self._scan.close()) + self._back.close()

    @property
    def summary(self) -> dict[str, Any]:
        found = self._generation.summary
        stopped = self._scan is not None and self._scan.stopped
        return {
            "finish_reason": "content_filter" if stopped else found.finish_reason,
            "prompt_tokens": found.prompt_tokens,
            "completion_tokens": found.completion_tokens,
        }


def _print(answer: Iterable[str]) -> str:
    pieces = []
    for piece in answer:
        pieces.append(piece)
        sys.stdout.write(piece)
        sys.stdout.flush()
    sys.stdout.write("\n")
    return "".join(pieces)


def _chat(engine: Any, options: Any, redactor: Any) -> None:
    """Until the end of input. An interrupt ends an answer, or the chat where nothing is being written."""
    from ..runtime.generation import Message
    from . import report

    messages: list[Message] = []
    while True:
        sys.stderr.write("> ")
        sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            return
        if not line.strip():
            continue
        messages.append(Message("user", line.rstrip("\n")))
        try:
            text = _print(_Answer(engine, messages, options, redactor))
        except KeyboardInterrupt:
            sys.stdout.write("\n")
            messages.pop()
        except CloisterError as error:
            if error.code == "chat_template_missing":
                raise
            report(error)
            messages.pop()
        else:
            messages.append(Message("assistant", text))


def _batch(engine: Any, options: Any, redactor: Any) -> bool:
    whole = True
    for raw in sys.stdin.buffer:
        if not raw.strip():
            continue
        line: Any = None
        try:
            try:
                line = json.loads(raw.decode("utf-8"))
            except (ValueError, RecursionError):
                raise InvalidInput("the line is not JSON in UTF-8", hint=_HINT) from None
            answer = _Answer(engine, _prompt(line), options, redactor)
            result: dict[str, Any] = {"text": "".join(answer), **answer.summary}
        except CloisterError as error:
            whole = False
            result = {"error": {"code": error.code, "message": str(error)}}
        named = {"id": line["id"]} if isinstance(line, dict) and line.get("id") is not None else {}
        sys.stdout.write(json.dumps({**named, **result}, ensure_ascii=False) + "\n")
        sys.stdout.flush()
    return whole


def _prompt(line: Any) -> Any:
    from ..runtime.generation import Message

    if isinstance(line, dict) and line.keys() <= {"id", "prompt"} and isinstance(line.get("prompt"), str):
        return line["prompt"]
    if isinstance(line, dict) and line.keys() <= {"id", "messages"} and isinstance(line.get("messages"), list):
        items = line["messages"]
        if all(isinstance(m, dict) and m.keys() == {"role", "content"} for m in items) and all(
            isinstance(value, str) for m in items for value in m.values()
        ):
            return [Message(m["role"], m["content"]) for m in items]
    raise InvalidInput("the line has not the expected fields", hint=_HINT)
