"""One request to a model that writes: guard, first audit record, generations, and what comes of them, in order."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from .. import DeadlineExceeded, InvalidInput, Unavailable
from .generation import Generation, GenerationOptions, Message, Summary
from .guard import GuardedConversation
from .models import Model
from .prompts import Texts
from .service import Question, Service
from .trail import Trail
from .writers import Writers
from .writing import Writing, Written

_TOGETHER = 8
"""Choices of one request that are written at once."""


@dataclass(frozen=True, repr=False)
class Asked:
    """What a route asks of a model that writes.

    Attributes:
        model: its name.
        prompts: texts, or the messages of chats.
        tasks: those that the route is for.
        options: for every text.
        choices: texts for each prompt.
        timeout: seconds until nobody waits any more.
    """

    model: str
    prompts: Sequence[str | tuple[Message, ...]]
    tasks: Sequence[str]
    options: GenerationOptions
    timeout: float
    choices: int = 1


@dataclass(frozen=True, slots=True)
class Ended:
    """A choice is complete. Attributes: why, and its token counts."""

    reason: str
    summary: Summary


class Completion:
    """The choices of a request, written side by side. Made by `begin`; iterate once, close in any case.

    Attributes:
        model: what writes.
        index: of the first audit record.
    """

    def __init__(self, service: Service, trail: Trail, asked: Asked) -> None:
        self._service, self._trail, self._asked = service, trail, asked
        self.index = -1
        self.model: Model
        self._conversation: GuardedConversation
        self._prompts: list[str | tuple[Message, ...]]
        self._options: GenerationOptions
        self._running: dict[int, Writing] = {}

    @classmethod
    async def begin(cls, service: Service, trail: Trail, request: bytes, asked: Asked) -> "Completion":
        """Guard the texts and record that the request is accepted. Nothing is generated before that is on disk.

        Raises:
            NotFound, Unsupported, InvalidInput, Overloaded, DeadlineExceeded, Unavailable, RedactionError, AuditError:
                what their names say.
        """
        self = cls(service, trail, asked)
        texts = Texts(asked.prompts, asked.options)
        question = Question(asked.model, texts.found, asked.tasks, asked.timeout)
        self.model, self._conversation = await service.converse(trail, question)
        self._prompts, options = texts.guarded(self._conversation.texts)
        # Prompts of different clients share no cached beginnings: their times would tell of each other.
        self._options = replace(options, cache_salt=f"{trail.client}\0{options.cache_salt or ''}")
        self.index = await service.audit.accepted(trail, request)
        return self

    async def __aiter__(self) -> AsyncIterator[tuple[int, Written | Ended]]:
        """The choice's number, and a part of it or its end. Raises what the model raises; DeadlineExceeded."""
        numbers = iter(range(len(self._prompts) * self._asked.choices))
        parts: asyncio.Queue[tuple[int, Written | Ended | Exception]] = asyncio.Queue()
        tasks: list[asyncio.Task[None]] = []
        # Decoders take a new text at any step. What searches for the texts of a call together has to know all of them.
        together = self.model.engine.task != "text-generation"
        ended = 0
        try:
            while True:
                if ended == len(tasks) or not together:
                    started = list(islice(numbers, _TOGETHER - len(tasks) + ended))
                    if together and started:
                        await self._begin(started)
                    tasks.extend(asyncio.create_task(self._write(number, parts)) for number in started)
                if ended == len(tasks):
                    return
                number, part = await self._next(parts)
                if isinstance(part, Exception):
                    raise part
                yield number, part
                ended += isinstance(part, Ended)
        finally:
            for task in tasks:
                task.cancel()
            self._stop()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._stop()

    async def _begin(self, numbers: Sequence[int]) -> None:
        """Begin one text of each of some prompts, to be written side by side."""
        begun = await _begun(self.model.writers, [self._prompts[number] for number in numbers], self._options)
        for number, generation in zip(numbers, begun, strict=True):
            self._running[number] = self._writing(generation)

    async def _write(self, number: int, parts: "asyncio.Queue[tuple[int, Written | Ended | Exception]]") -> None:
        """Write a choice, part by part."""
        options, counts = self._options, self._asked.choices
        try:
            if number not in self._running:
                # Choices of one prompt differ, reproducibly.
                own = options if options.seed is None else replace(options, seed=options.seed + number % counts)
                (generation,) = await _begun(self.model.writers, [self._prompts[number // counts]], own)
                self._running[number] = self._writing(generation)
            writing = self._running[number]
            if number % counts == 0:
                self._trail.input_tokens += writing.generation.prompt_tokens
            async with aclosing(aiter(writing)) as found:  # type: ignore[type-var]
                async for part in found:
                    parts.put_nowait((number, part))
            parts.put_nowait((number, self._ended(writing)))
        except Exception as error:  # noqa: BLE001 - raised where the parts are read
            parts.put_nowait((number, error))

    def _writing(self, generation: Generation) -> Writing:
        constraint = self._options.constraint
        in_json = constraint is not None and constraint.json_schema is not None
        return Writing(generation, self._conversation, self._search, in_json=in_json)

    async def _search(self, work: Callable[[], str]) -> str:
        return await self._service.aside(self._asked.timeout - self._trail.seconds, work)

    async def _next(
        self, parts: "asyncio.Queue[tuple[int, Written | Ended | Exception]]"
    ) -> tuple[int, Written | Ended | Exception]:
        left = self._asked.timeout - self._trail.seconds
        try:
            async with asyncio.timeout(max(0.0, left)):
                found = await parts.get()
        except TimeoutError:
            raise DeadlineExceeded(
                "the request's deadline passed while the model wrote", hint="ask for fewer tokens, or allow more time"
            ) from None
        if self._trail.first_piece is None:
            self._trail.first_piece = self._trail.seconds
        return found

    def _ended(self, writing: Writing) -> Ended:
        if writing.filtered:
            generation = writing.generation
            self._trail.output_tokens += writing.pieces
            return Ended("content_filter", Summary("cancelled", generation.prompt_tokens, writing.pieces))
        summary = writing.summary
        if summary.finish_reason == "cancelled":
            raise Unavailable("the model was taken away while it wrote", hint="send the request again")
        self._trail.output_tokens += summary.completion_tokens
        return Ended(summary.finish_reason, summary)

    def _stop(self) -> None:
        """Stop what is being written, and count what was."""
        trail = self._trail
        for _, writing in sorted(self._running.items()):
            trail.pieces += writing.pieces
            trail.found.update(writing.found)
            if writing.filtered:
                trail.finish = "content_filter"
            else:
                try:
                    trail.finish = writing.summary.finish_reason
                except InvalidInput:
                    trail.finish = "cancelled"
            self.model.writers.end(writing.generation)
        self._running.clear()


async def _begun(writers: Writers, prompts: Sequence[Any], options: GenerationOptions) -> list[Generation]:
    """Generations side by side; when the client leaves while they start, they end as soon as they have."""
    future = asyncio.get_running_loop().run_in_executor(None, writers.begin_each, prompts, options)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        future.add_done_callback(lambda done: None if done.exception() else _end(writers, done.result()))
        raise


def _end(writers: Writers, generations: Sequence[Generation]) -> None:
    for generation in generations:
        writers.end(generation)
