"""What a request to a model that writes is made of, as texts that a guard lets through, and made anew of these."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from .. import InvalidInput
from .generation import Constraint, GenerationOptions, Message

_FIXED = ("pattern", "format", "type", "$ref", "$id", "$schema", "$anchor", "patternProperties")


class Texts:
    """Every text of a request that its model would be given, in one list, and the request made of another such list.

    Args:
        prompts: texts, or the messages of chats.
        options: stop texts and constraints hold texts too.

    Attributes:
        found: the texts.
    """

    def __init__(self, prompts: Sequence[str | tuple[Message, ...]], options: GenerationOptions) -> None:
        self._prompts = prompts
        self._options = options
        self.found: list[str] = []
        for prompt in prompts:
            self.found += [prompt] if isinstance(prompt, str) else [message.content for message in prompt]
        self.found += options.stop
        constraint = options.constraint
        if constraint is not None:
            self.found += constraint.choices or ()
            self.found += [constraint.regex] if constraint.regex is not None else []
            if constraint.json_schema is not None:
                _strings(constraint.json_schema, self.found)

    def guarded(self, texts: Sequence[str]) -> tuple[list[str | tuple[Message, ...]], GenerationOptions]:
        """Prompts and options with these texts in place of those that were found.

        Raises:
            InvalidInput: one that is part of a pattern or a reference is not what it was.
        """
        rest = iter(texts)
        prompts: list[str | tuple[Message, ...]] = []
        for prompt in self._prompts:
            if isinstance(prompt, str):
                prompts.append(next(rest))
            else:
                prompts.append(tuple(Message(message.role, next(rest)) for message in prompt))
        options = self._options
        options = replace(options, stop=tuple(next(rest) for _ in options.stop))
        given = options.constraint
        if given is None:
            return prompts, options
        choices = None if given.choices is None else tuple(next(rest) for _ in given.choices)
        if given.regex is not None and next(rest) != given.regex:
            raise _in_pattern()
        schema = None if given.json_schema is None else _replaced(given.json_schema, rest)
        return prompts, replace(options, constraint=Constraint(schema, given.regex, choices))


def _strings(value: Any, into: list[str]) -> None:
    if isinstance(value, str):
        into.append(value)
    elif isinstance(value, Mapping):
        for key, one in value.items():
            into.append(key)
            _strings(one, into)
    elif isinstance(value, list | tuple):
        for one in value:
            _strings(one, into)


def _replaced(value: Any, rest: Any, *, fixed: bool = False) -> Any:
    if isinstance(value, str):
        text = next(rest)
        if fixed and text != value:
            raise _in_pattern()
        return text
    if isinstance(value, Mapping):
        made = {}
        for key, one in value.items():
            name = next(rest)
            if fixed and name != key:
                raise _in_pattern()
            made[name] = _replaced(one, rest, fixed=key in _FIXED)
        return made
    if isinstance(value, list | tuple):
        return [_replaced(one, rest) for one in value]
    return value


def _in_pattern() -> InvalidInput:
    return InvalidInput(
        "a pattern or a reference in the request holds personal data",
        hint="put values into choices, `enum` or the messages: there they can be replaced",
        code="pattern_redacted",
    )
