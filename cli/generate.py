"""`cloister generate`: text after a prompt, as it comes; JSON Lines for batches; a chat on a terminal."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import CloisterError, InvalidInput, StorageError
from .options import BundleId, Identity, MinVersion, Provider, PublicKey, unseal

_HINT = 'a line is {"id": …, "prompt": "…"} or {"id": …, "messages": [{"role": …, "content": …}]}'


def generate(
    bundle: Annotated[Path, typer.Argument(help="Bundle folder.")],
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
    provider: Annotated[Provider, typer.Option(help="Execution provider.")] = Provider.auto,
    variant: Annotated[str | None, typer.Option(help="Variant by name.")] = None,
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
    from ..runtime.engine import Options, load
    from ..runtime.generation import Constraint, GenerationOptions

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
            _print(engine, prompt, options, redactor)
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


def _answer(engine: Any, prompt: Any, options: Any, redactor: Any) -> tuple[str, Any]:
    """The whole text and how it ended; with a redactor the model sees placeholders, and the answer is restored."""
    if redactor is None:
        text = engine.generate(prompt, options)
        return text.text(), text.summary
    if isinstance(prompt, str):
        redaction = redactor.redact(prompt)
        text = engine.generate(redaction.text, options)
        return redaction.restore(text.text()), text.summary
    raise InvalidInput("--policy redacts plain prompts", hint="give prompts, not messages, or use `cloister serve`")


def _print(engine: Any, prompt: Any, options: Any, redactor: Any) -> str:
    if redactor is not None:
        answer, _ = _answer(engine, prompt, options, redactor)
        sys.stdout.write(answer + "\n")
        return answer
    pieces = []
    for piece in engine.generate(prompt, options):
        pieces.append(piece)
        sys.stdout.write(piece)
        sys.stdout.flush()
    sys.stdout.write("\n")
    return "".join(pieces)


def _chat(engine: Any, options: Any, redactor: Any) -> None:
    from ..runtime.generation import Message

    if redactor is not None:
        raise InvalidInput("--policy redacts plain prompts", hint="give a prompt, or use `cloister serve`")
    messages: list[Message] = []
    while True:
        sys.stderr.write("> ")
        sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            return
        if line.strip():
            messages.append(Message("user", line.rstrip("\n")))
            messages.append(Message("assistant", _print(engine, messages, options, None)))


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
            answer, summary = _answer(engine, _prompt(line), options, redactor)
            result: dict[str, Any] = {
                "text": answer,
                "finish_reason": summary.finish_reason,
                "prompt_tokens": summary.prompt_tokens,
                "completion_tokens": summary.completion_tokens,
            }
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
