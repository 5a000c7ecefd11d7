"""The one file that imports jinja2: messages become tokens, and no content of a message can become a special token."""

import json
import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from .. import InvalidInput, MissingExtra
from .generation import Message, Role
from .tokens import TextTokenizer, validated


class Template:
    """A chat template in a sandbox that reaches neither files nor attributes of Python.

    Raises:
        MissingExtra: jinja2 is not installed.
        InvalidInput: the template cannot be read.
    """

    def __init__(self, source: str, names: Mapping[str, str]) -> None:
        try:
            from jinja2 import TemplateError
            from jinja2.sandbox import ImmutableSandboxedEnvironment
        except ImportError as error:
            raise MissingExtra("jinja2 is not installed", hint="pip install 'cloister[generate]'") from error
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.filters["tojson"] = _tojson
        environment.globals["raise_exception"] = _refuse
        self._error = TemplateError
        self._names = dict(names)
        try:
            self._template = environment.from_string(source)
        except TemplateError as error:
            raise InvalidInput("the chat template cannot be read", hint="export the model again") from error

    def render(self, contents: Sequence[tuple[str, str]]) -> str:
        """The prompt for roles and contents; raises InvalidInput where the template refuses them."""
        messages = [{"role": role, "content": content} for role, content in contents]
        try:
            return self._template.render(messages=messages, add_generation_prompt=True, **self._names)
        except (self._error, TypeError, ValueError, KeyError, AttributeError) as error:
            raise InvalidInput(
                "the chat template refuses these messages",
                hint="many take a system message first, then user and assistant in turn",
                code="messages_refused",
            ) from error


def _tojson(value: object, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _refuse(_message: str) -> None:
    from jinja2 import TemplateError

    raise TemplateError("refused")


class Chat:
    """Prompts as tokens.

    Args:
        tokenizer: of the model.
        template: None where the model has none.
        special: texts of all special tokens.
        start: token id that begins a plain prompt.
    """

    def __init__(self, tokenizer: TextTokenizer, template: Template | None, start: int | None) -> None:
        self._tokenizer = tokenizer
        self._template = template
        self._start = start
        self._special = tokenizer.special()
        names = sorted(self._special, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, names))) if names else None

    @property
    def has_template(self) -> bool:
        """Whether messages can be read."""
        return self._template is not None

    def render(self, messages: Sequence[Message]) -> str:
        """One text for people to read; raises InvalidInput."""
        return self._checked(messages).render([(m.role, m.content) for m in messages])

    def tokens(self, prompt: str | Sequence[Message]) -> list[int]:
        """Token ids of a text or of messages; raises InvalidInput."""
        if isinstance(prompt, str):
            validated([prompt])
            ids = self._tokenizer.plain(prompt)
            return ids if self._start is None else [self._start, *ids]
        return self._chat(self._checked(prompt), prompt)

    def _chat(self, template: Template, messages: Sequence[Message]) -> list[int]:
        # The template sees a random mark in place of each content. Special tokens are looked for in what the template
        # itself wrote; only then the contents return, in runs of text that are tokenized without any.
        nonce = secrets.token_hex(16)
        marks = [f"{nonce}x{i}x" for i in range(len(messages))]
        contents = [m.content for m in messages]
        around = [(c[: len(c) - len(c.lstrip())], c[len(c.rstrip()) :] if c.strip() else "") for c in contents]
        marked = [f"{lead}{mark}{trail}" for (lead, trail), mark in zip(around, marks, strict=True)]
        text = template.render([(m.role, content) for m, content in zip(messages, marked, strict=True)])
        inner = dict(zip(marks, (c.strip() for c in contents), strict=True))
        mark = re.compile(f"{nonce}x\\d+x")
        ids: list[int] = []
        place = 0
        for found in self._pattern.finditer(text) if self._pattern is not None else ():
            ids += self._run(text[place : found.start()], mark, inner)
            ids.append(self._special[found.group()])
            place = found.end()
        return ids + self._run(text[place:], mark, inner)

    def _run(self, text: str, mark: re.Pattern[str], inner: Mapping[str, str]) -> list[int]:
        return self._tokenizer.plain(mark.sub(lambda found: inner[found.group()], text)) if text else []

    def _checked(self, messages: Sequence[Message]) -> Template:
        if self._template is None:
            raise InvalidInput(
                "the model has no chat template",
                hint="pass the prompt as one text",
                code="chat_template_missing",
            )
        items: Sequence[Any] = messages
        if not isinstance(items, list | tuple) or not items or not all(isinstance(m, Message) for m in items):
            raise InvalidInput("messages are expected", hint="pass at least one Message(role, content)")
        if any(m.role not in get_args(Role) for m in messages):
            raise InvalidInput("a message has an unknown role", hint=f"role is one of {', '.join(get_args(Role))}")
        validated([m.content for m in messages])
        return self._template
