"""Handlers of the routes by which models write: chat, completion, translation; whole or by server-sent events."""

import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

from ... import InvalidInput, RequestTooLarge
from ..completion import Asked, Completion, Ended
from ..generation import Constraint, GenerationOptions, Message, Summary, TokenLogprob
from ..service import Service
from ..writing import Written
from . import bodies, written
from .gate import Incoming, Outgoing

_GENERATES = ("text-generation",)
_TRANSLATES = ("translation", "summarization", "text2text-generation")
_EVENTS = b"text/event-stream; charset=utf-8"


class Writes:
    """The routes.

    Args:
        service: does the work.
        most_inputs: most texts of one request.
    """

    def __init__(self, service: Service, most_inputs: int) -> None:
        self._service = service
        self._most = most_inputs

    async def chat(self, body: written.ChatRequest, incoming: Incoming) -> Outgoing:
        """OpenAI's chat completions."""
        self._service.models.get(body.model)  # an unknown model is said first
        if body.top_logprobs is not None and not body.logprobs:
            raise InvalidInput("`top_logprobs` without `logprobs`", hint='add "logprobs": true')
        most = body.max_tokens if body.max_completion_tokens is None else body.max_completion_tokens
        options = _options(body, most, int(body.top_logprobs or 0) if body.logprobs else None)
        messages = tuple(Message(_role(m.role), _content(m.content)) for m in body.messages)
        return await self._answer(body, incoming, [messages], options, _Chat(body, incoming))

    async def completions(self, body: written.CompletionRequest, incoming: Incoming) -> Outgoing:
        """OpenAI's completions."""
        self._service.models.get(body.model)
        prompts = self._bounded([body.prompt] if isinstance(body.prompt, str) else body.prompt)
        options = _options(body, body.max_tokens, None if body.logprobs is None else int(body.logprobs))
        return await self._answer(body, incoming, prompts, options, _Text(body, incoming))

    async def translate(self, body: bodies.TranslateRequest, incoming: Incoming) -> Outgoing:
        """Translations, summaries, and what else an encoder-decoder makes of a text."""
        texts = self._bounded([body.input] if isinstance(body.input, str) else body.input)
        options = GenerationOptions(source=body.source, target=body.target)
        asked = Asked(body.model, texts, _TRANSLATES, options, incoming.timeout)
        completion = await Completion.begin(self._service, incoming.trail, incoming.raw, asked)
        choices = await _collected(completion)
        data = [written.Translated(index=i, text=c.text, finish_reason=c.reason) for i, c in enumerate(choices)]  # type: ignore[arg-type]
        usage = _usage([c.summary for c in choices], 1)
        return Outgoing(
            bodies.encode(
                written.Translations(model=body.model, data=data, usage=usage, redacted=dict(incoming.trail.entities))
            )
        )

    def _bounded(self, texts: Sequence[str]) -> Sequence[str]:
        if len(texts) > self._most:
            raise RequestTooLarge(
                f"the request has more than {self._most} inputs", hint="send them in several requests"
            )
        return texts

    async def _answer(
        self, body: Any, incoming: Incoming, prompts: Sequence[Any], options: GenerationOptions, shape: "_Chat | _Text"
    ) -> Outgoing:
        if body.stream_options is not None and not body.stream:
            raise InvalidInput("`stream_options` without `stream`", hint='add "stream": true')
        n = int(body.n or 1)
        if len(prompts) * n > self._most:
            raise RequestTooLarge(f"more than {self._most} choices are asked for", hint="send several requests")
        asked = Asked(body.model, prompts, _GENERATES, options, incoming.timeout, n)
        completion = await Completion.begin(self._service, incoming.trail, incoming.raw, asked)
        engine = completion.model.engine
        shape.fingerprint = f"fp_{engine.digest[:12]}_{engine.variant.name}"
        if not body.stream:
            choices = await _collected(completion)
            return Outgoing(bodies.encode(shape.whole(choices, _usage([c.summary for c in choices], n))))
        usage = body.stream_options is not None and body.stream_options.include_usage
        events = _events(completion, shape, usage=usage, n=n)
        # Waiting for the first part gives errors a status of their own.
        return Outgoing(b"", _EVENTS, stream=_after(await anext(events), events), index=completion.index)


class _Choice:
    def __init__(self) -> None:
        self.text = ""
        self.logprobs: list[TokenLogprob] = []
        self.reason = "stop"
        self.summary = Summary("stop", 0, 0)


async def _collected(completion: Completion) -> list[_Choice]:
    choices: dict[int, _Choice] = {}
    async for number, part in completion:
        choice = choices.setdefault(number, _Choice())
        if isinstance(part, Ended):
            choice.reason, choice.summary = part.reason, part.summary
        else:
            choice.text += part.text
            choice.logprobs += part.logprobs
    return [choices[number] for number in sorted(choices)]


async def _events(completion: Completion, shape: "_Chat | _Text", *, usage: bool, n: int) -> AsyncIterator[bytes]:
    summaries: dict[int, Summary] = {}
    begun: set[int] = set()
    parts = aiter(completion)
    try:
        async for number, part in parts:
            if number not in begun:
                begun.add(number)
                for one in shape.first(number):
                    yield _event(one, usage=usage)
            if isinstance(part, Ended):
                summaries[number] = part.summary
                yield _event(shape.last(number, part.reason), usage=usage)
            elif part.text or part.logprobs:
                yield _event(shape.part(number, part), usage=usage)
        if usage:
            total = bodies.encode_any(shape.total(_usage([summaries[i] for i in sorted(summaries)], n)))
            yield b"data: " + total + b"\n\n"
    finally:
        await parts.aclose()  # type: ignore[attr-defined]


async def _after(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    try:
        yield first
        async for one in rest:
            yield one
    finally:
        await rest.aclose()  # type: ignore[attr-defined]


def _event(chunk: dict[str, Any], *, usage: bool) -> bytes:
    if usage:
        chunk["usage"] = None
    return b"data: " + bodies.encode_any(chunk) + b"\n\n"


class _Chat:
    """The shape of chat completions."""

    def __init__(self, body: Any, incoming: Incoming) -> None:
        self._body, self._trail = body, incoming.trail
        self._head = {"id": f"chatcmpl-{incoming.trail.request_id}", "created": int(time.time()), "model": body.model}
        self.fingerprint = ""

    def whole(self, choices: Sequence[_Choice], usage: written.CompletionUsage) -> written.ChatCompletion:
        """The whole answer."""
        made = [
            written.ChatChoice(
                index=i,
                message=written.Spoken(role="assistant", content=c.text),
                logprobs=written.ChatLogprobs(content=_tokens(c.logprobs)) if self._body.logprobs else None,
                finish_reason=c.reason,  # type: ignore[arg-type]
            )
            for i, c in enumerate(choices)
        ]
        return written.ChatCompletion(
            **self._head,
            object="chat.completion",
            system_fingerprint=self.fingerprint,
            choices=made,
            usage=usage,
            redacted=dict(self._trail.entities),
        )

    def _chunk(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        head = {**self._head, "object": "chat.completion.chunk", "system_fingerprint": self.fingerprint}
        return {**head, "choices": choices}

    def first(self, number: int) -> list[dict[str, Any]]:
        """The role."""
        delta = {"role": "assistant", "content": ""}
        return [self._chunk([{"index": number, "delta": delta, "logprobs": None, "finish_reason": None}])]

    def part(self, number: int, part: Written) -> dict[str, Any]:
        """Text."""
        logprobs = {"content": _tokens(part.logprobs), "refusal": None} if self._body.logprobs else None
        choice = {"index": number, "delta": {"content": part.text}, "logprobs": logprobs, "finish_reason": None}
        return self._chunk([choice])

    def last(self, number: int, reason: str) -> dict[str, Any]:
        """The end of a choice."""
        return self._chunk([{"index": number, "delta": {}, "logprobs": None, "finish_reason": reason}])

    def total(self, usage: written.CompletionUsage) -> dict[str, Any]:
        """Usage."""
        return {**self._chunk([]), "usage": usage, "redacted": dict(self._trail.entities)}


class _Text:
    """The shape of completions."""

    def __init__(self, body: Any, incoming: Incoming) -> None:
        self._body, self._trail = body, incoming.trail
        self._head = {"id": f"cmpl-{incoming.trail.request_id}", "created": int(time.time()), "model": body.model}
        self._offsets: dict[int, int] = {}
        self.fingerprint = ""

    def whole(self, choices: Sequence[_Choice], usage: written.CompletionUsage) -> written.TextCompletion:
        """The whole answer."""
        made = [
            written.TextChoice(index=i, text=c.text, logprobs=self._logprobs(i, c.logprobs), finish_reason=c.reason)  # type: ignore[arg-type]
            for i, c in enumerate(choices)
        ]
        head = {**self._head, "object": "text_completion", "system_fingerprint": self.fingerprint}
        return written.TextCompletion(**head, choices=made, usage=usage, redacted=dict(self._trail.entities))

    def _chunk(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        head = {**self._head, "object": "text_completion", "system_fingerprint": self.fingerprint}
        return {**head, "choices": choices}

    def first(self, number: int) -> list[dict[str, Any]]:
        """Nothing: completions have no roles."""
        return []

    def part(self, number: int, part: Written) -> dict[str, Any]:
        """Text."""
        logprobs = self._logprobs(number, part.logprobs)
        return self._chunk([{"index": number, "text": part.text, "logprobs": logprobs, "finish_reason": None}])

    def last(self, number: int, reason: str) -> dict[str, Any]:
        """The end of a choice."""
        return self._chunk([{"index": number, "text": "", "logprobs": None, "finish_reason": reason}])

    def total(self, usage: written.CompletionUsage) -> dict[str, Any]:
        """Usage."""
        return {**self._chunk([]), "usage": usage, "redacted": dict(self._trail.entities)}

    def _logprobs(self, number: int, tokens: Sequence[TokenLogprob]) -> written.TextLogprobs | None:
        if self._body.logprobs is None:
            return None
        offsets = []
        for token in tokens:
            offsets.append(self._offsets.setdefault(number, 0))
            self._offsets[number] += len(token.token)
        return written.TextLogprobs(
            tokens=[t.token for t in tokens],
            token_logprobs=[t.logprob for t in tokens],
            top_logprobs=[{a.token: a.logprob for a in t.alternatives} for t in tokens],
            text_offset=offsets,
        )


def _tokens(tokens: Sequence[TokenLogprob]) -> list[written.TokenInfo]:
    return [
        written.TokenInfo(
            token=t.token,
            logprob=t.logprob,
            bytes=list(t.utf8),
            top_logprobs=[
                written.TopToken(token=a.token, logprob=a.logprob, bytes=list(a.utf8)) for a in t.alternatives
            ],
        )
        for t in tokens
    ]


def _role(role: str) -> Any:
    return "system" if role == "developer" else role


def _content(content: str | list[written.TextPart]) -> str:
    return content if isinstance(content, str) else "".join(part.text for part in content)


def _options(body: Any, most: float | None, logprobs: int | None) -> GenerationOptions:
    stop = () if body.stop is None else (body.stop,) if isinstance(body.stop, str) else tuple(body.stop)
    return GenerationOptions(
        max_tokens=None if most is None else int(most),
        temperature=body.temperature,
        top_k=None if body.top_k is None else max(0, int(body.top_k)),  # -1 is how vLLM says all
        top_p=body.top_p,
        min_p=body.min_p,
        repetition_penalty=body.repetition_penalty,
        frequency_penalty=body.frequency_penalty or 0.0,
        presence_penalty=body.presence_penalty or 0.0,
        seed=None if body.seed is None else int(body.seed) % 2**31,
        stop=stop,
        logprobs=logprobs,
        constraint=_constraint(body),
        cache_salt=body.cache_salt,
    )


def _constraint(body: Any) -> Constraint | None:
    form, found = body.response_format, []
    if form is not None:
        if (form.type == "json_schema") != (form.json_schema is not None):
            raise InvalidInput("`response_format` and its schema do not fit", hint="give `json_schema` with its type")
        if form.type != "text":
            found.append(
                Constraint(json_schema={"type": "object"} if form.json_schema is None else form.json_schema.schema)
            )
    if body.guided_json is not None:
        found.append(Constraint(json_schema=body.guided_json))
    if body.guided_regex is not None:
        found.append(Constraint(regex=body.guided_regex))
    if body.guided_choice is not None:
        found.append(Constraint(choices=tuple(body.guided_choice)))
    if len(found) > 1:
        raise InvalidInput("the answer is constrained in several ways", hint="give one of them")
    return found[0] if found else None


def _usage(summaries: Sequence[Summary], n: int) -> written.CompletionUsage:
    """The prompt of several choices counts once."""
    prompts = summaries[::n]
    read, made = sum(s.prompt_tokens for s in prompts), sum(s.completion_tokens for s in summaries)
    cached = written.CachedTokens(cached_tokens=sum(s.cached_tokens for s in prompts))
    return written.CompletionUsage(
        prompt_tokens=read, completion_tokens=made, total_tokens=read + made, prompt_tokens_details=cached
    )
