"""One request, in order: redact, predict, put back into terms of the original, audit. No answer leaves before that.

The order of the steps is the promise: nothing but the guard sees a text as it came, and an answer exists outside of
this file only after its audit record is on disk.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from .. import CloisterError, Overloaded, ServingError, Unavailable, Unsupported
from .guard import Guard, Guarded, GuardedConversation, in_original
from .memory import MemoryLimit
from .models import Model, Models
from .online import Pending
from .processor import available_threads
from .results import Prediction
from .tagging import within
from .tasks import TOP_K, Wanted, labelled
from .tokens import Input, validated
from .trail import Audit, Trail
from .watch import Watch

INLINE_CHARACTERS = 4096
"""Texts up to this are redacted and tokenized on the event loop, where that costs less than the way to a thread."""

_WAITING = 16
"""Requests for each processor that may wait for a tagger at once."""

_log = logging.getLogger("cloister.service")

Result = TypeVar("Result")


@dataclass(frozen=True, repr=False)
class Question:
    """What a route asks of a model.

    Attributes:
        model: its name.
        texts: texts or pairs, as they came.
        tasks: those the route can show; others are refused.
        timeout: seconds until nobody waits any more.
        truncate, labels, top_k: as for `Engine.predict`.
    """

    model: str
    texts: Sequence[object]
    tasks: Sequence[str]
    timeout: float
    truncate: bool = False
    labels: Sequence[str] | None = None
    top_k: int = TOP_K


@dataclass(frozen=True, repr=False)
class Answered:
    """Predictions of one request, in terms of the texts as given."""

    model: Model
    predictions: list[Prediction]


@dataclass(frozen=True, repr=False)
class Recorded:
    """The bytes of an answer, and its index in the audit log (-1 without one)."""

    body: bytes
    index: int


class Service:
    """What the routes ask. Lives on one event loop; the work itself is done in threads.

    Args:
        models: what answers.
        guard: sees every text first.
        audit: keeps a record of every request.
        status_of: the HTTP status of an error, for the audit record.
        memory: admission by memory.
        watch: notices attacks and drift.
    """

    def __init__(
        self,
        models: Models,
        guard: Guard,
        audit: Audit,
        status_of: Callable[[CloisterError], int],
        memory: MemoryLimit,
        watch: Watch,
    ) -> None:
        self.models = models
        self.guard = guard
        self.audit = audit
        self._status_of = status_of
        self._memory = memory
        self._watch = watch
        # They wait more than they work: enough of them that the tagger's batches fill.
        self._waiting = ThreadPoolExecutor(_WAITING * available_threads(), "cloister-guard") if guard.slow else None

    async def predict(self, trail: Trail, question: Question) -> Answered:
        """Answer texts or pairs with a model; the trail gets model, entities, tokens and the time of each stage.

        Raises:
            NotFound: no such model.
            Unsupported: the model has another task.
            InputTooLong, InvalidInput, Overloaded, DeadlineExceeded, ModelFailed, WorkerDied, Unavailable,
            RedactionError: what their names say.
        """
        model = self.resolve(trail, question)
        self._memory.admit()
        model.batched.scheduler.admit(question.timeout - trail.seconds)
        self.models.taggers.admit(question.timeout - trail.seconds)
        inputs = validated(question.texts)
        labels = labelled(question.labels)
        trail.inputs = len(inputs)
        large = sum(map(_characters, inputs)) > INLINE_CHARACTERS
        with trail.stage("redact"):
            guarded = await self._admit(trail, inputs, question.timeout, large=large)
            if labels is not None:
                # The model sees the wording; the answer has the label itself.
                wordings = await self._pass(trail, list(labels), question.timeout)
                labels = {label: wording.text for label, wording in zip(labels, wordings, strict=True)}
        safe: list[Input] = [parts[0].text if len(parts) == 1 else (parts[0].text, parts[1].text) for parts in guarded]
        trail.signals = self._watch.read(safe)
        with trail.stage("tokenize"):
            wanted = Wanted(question.truncate, labels, question.top_k)
            model, pending = await self._submit(trail, question, safe, wanted, large=large)
        trail.input_tokens += pending.tokens
        with trail.stage("run"):
            outputs = await pending.ticket
        with trail.stage("finish"):
            predictions = await asyncio.to_thread(pending.finish, outputs) if large else pending.finish(outputs)
            self._watch.answered(trail, model.engine, predictions)
            return Answered(model, [in_original(p, parts) for p, parts in zip(predictions, guarded, strict=True)])

    def admit(self, timeout: float) -> None:
        """Refuse a request that no model could answer in time, before anything is spent on it.

        Raises:
            Overloaded: the queues of all models are too long for `timeout` seconds.
        """
        models = list(self.models)
        for number, model in enumerate(models, 1):
            if model.engine.generates:
                return
            try:
                model.batched.scheduler.admit(timeout)
            except Overloaded:
                if number == len(models):
                    raise
            else:
                return

    def resolve(self, trail: Trail, question: Question) -> Model:
        """The model of a question, if it can answer it. Raises NotFound, Unsupported."""
        trail.model = question.model
        model = self.models.get(question.model)
        trail.model_digest = model.engine.digest
        if model.engine.task not in question.tasks:
            raise Unsupported(
                f"the model's task is {model.engine.task}, this route is for {' and '.join(question.tasks)}",
                hint="GET /v1/models shows the task of each model",
                code="unsupported_task",
            )
        return model

    async def redact(self, trail: Trail, texts: Sequence[str], language: str, timeout: float) -> Sequence[Guarded]:
        """Redact texts without asking a model, but for the tagger of the policy.

        Raises:
            RedactionError: redaction failed.
            InvalidInput: a lone surrogate.
            Overloaded, DeadlineExceeded, Unavailable: the tagger had no room or no time.
        """
        validated(texts)
        self.models.taggers.admit(timeout - trail.seconds)
        with trail.stage("redact"):
            admitted = await self._pass(trail, texts, timeout, language, large=True)
        trail.inputs, trail.signals = len(texts), self._watch.read([one.text for one in admitted])
        return admitted

    async def converse(self, trail: Trail, question: Question) -> tuple[Model, GuardedConversation]:
        """All texts of a request to a model that writes, as the guard lets them through.

        Raises:
            NotFound, Unsupported, Overloaded, DeadlineExceeded, Unavailable, InvalidInput, RedactionError: as
                `predict`.
        """
        model = self.resolve(trail, question)
        model.writers  # noqa: B018 - refuses a model that does not write
        self._memory.admit()
        timeout = question.timeout - trail.seconds
        self.models.taggers.admit(timeout)
        texts = [text for text in validated(question.texts) if isinstance(text, str)]
        trail.inputs = 1
        with trail.stage("redact"):
            if self._waiting is not None:
                guarded = await self.aside(timeout, partial(self.guard.converse, texts))
            elif sum(map(len, texts)) > INLINE_CHARACTERS:
                guarded = await asyncio.to_thread(self.guard.converse, texts)
            else:
                guarded = self.guard.converse(texts)
        trail.entities.update(guarded.counts)
        trail.signals = self._watch.read(list(guarded.texts))
        return model, guarded

    async def aside(self, timeout: float, work: Callable[[], Result]) -> Result:
        """The guard's work that costs a model's run, away from the event loop, within so many seconds."""
        with within(timeout):
            context = copy_context()
        return await asyncio.get_running_loop().run_in_executor(self._waiting, context.run, work)

    async def streamed(
        self,
        trail: Trail,
        request: bytes,
        parts: AsyncIterator[bytes],
        send: Callable[[bytes], Awaitable[None]],
        error_body: Callable[[CloisterError], bytes],
        end: bytes,
    ) -> None:
        """Send an answer that comes in parts, and audit how it ended: finished, failed or left.

        Args:
            trail, request: as for `recorded`; its first record is on disk already.
            parts: of the answer; closed in any case.
            send: takes a part to the client.
            error_body: a part that says what went wrong.
            end: the last part, which is sent once the second record is on disk. Where there is none, the answer ends
                with an error instead.
        """
        sent: list[bytes] = []
        last = end
        try:
            async with aclosing(parts):  # type: ignore[type-var]
                async for part in parts:
                    sent.append(part)
                    await send(part)
        except asyncio.CancelledError:
            trail.decision, trail.status, trail.code = "abandoned", 499, "client_left"
            self.watched(trail)
            await asyncio.shield(self.audit.finished(trail, request, b"".join(sent)))
            raise
        except CloisterError as error:
            trail.fail(error, self._status_of(error))
            last = error_body(error)
        except Exception as error:  # noqa: BLE001 - as in `recorded`
            failure = internal_error(trail, error)
            trail.fail(failure, self._status_of(failure))
            last = error_body(failure)
        try:
            self.watched(trail)
            await self.audit.finished(trail, request, b"".join([*sent, last]))
        except CloisterError as error:
            trail.fail(error, self._status_of(error))
            last = error_body(error)
        await send(last)

    async def _admit(
        self, trail: Trail, inputs: list[Input], timeout: float, *, large: bool
    ) -> list[tuple[Guarded, ...]]:
        """The parts of every input as the guard lets them through."""
        parts = [(item,) if isinstance(item, str) else item for item in inputs]
        guarded = iter(await self._pass(trail, [text for part in parts for text in part], timeout, large=large))
        return [tuple(next(guarded) for _ in part) for part in parts]

    async def _pass(
        self, trail: Trail, texts: Sequence[str], timeout: float, language: str = "auto", *, large: bool = False
    ) -> Sequence[Guarded]:
        """Texts through the guard, which counts what it replaced. One that waits for a tagger has threads of its own:
        all of them may wait, and audit and tokenizing still go on.
        """
        if self._waiting is not None:
            guarded = await self.aside(timeout - trail.seconds, partial(self.guard.admit_all, texts, language))
        else:

            def admit() -> list[Guarded]:
                return [self.guard.admit(text, language) for text in texts]

            guarded = await asyncio.to_thread(admit) if large else admit()
        for one in guarded:
            trail.entities.update(one.counts)
        return guarded

    def close(self) -> None:
        """Let the guard's threads go; what waits for one is not done any more."""
        if self._waiting is not None:
            self._waiting.shutdown(wait=False, cancel_futures=True)

    async def _submit(
        self, trail: Trail, question: Question, texts: list[Input], wanted: Wanted, *, large: bool
    ) -> tuple[Model, Pending]:
        """Queue texts. Where the model was swapped on the way, the one that is there now takes them."""
        timeout = question.timeout - trail.seconds
        for last in (False, True):
            model = self.resolve(trail, question)

            def submit(model: Model = model) -> Pending:
                return model.batched.submit(texts, wanted=wanted, timeout=timeout)

            try:
                return model, await asyncio.to_thread(submit) if large else submit()
            except Unavailable:
                if last:
                    raise
        raise AssertionError("unreachable")

    async def recorded(
        self,
        trail: Trail,
        request: bytes,
        work: Callable[[], Awaitable[bytes | None]],
        error_body: Callable[[CloisterError], bytes],
    ) -> Recorded | None:
        """Do the work of a request and audit it, whether it succeeds, fails or is left.

        Args:
            trail: becomes the record.
            request: bytes of the body; the record keeps a keyed digest.
            work: gives the bytes of the answer, or None for one in parts: `streamed` goes on with that.
            error_body: the bytes of an error's answer.

        Raises:
            CloisterError: the audit failed. Nothing that `work` gave may leave then.
        """
        body: bytes | None
        try:
            body = await work()
        except asyncio.CancelledError:
            trail.decision, trail.status, trail.code = "abandoned", 499, "client_left"
            self.watched(trail)
            await asyncio.shield(self.audit.finished(trail, request, b""))
            raise
        except CloisterError as error:
            trail.fail(error, self._status_of(error))
            body = error_body(error)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not leave unaudited, nor with a traceback
            failure = internal_error(trail, error)
            trail.fail(failure, self._status_of(failure))
            body = error_body(failure)
        if body is None:
            return None
        with trail.stage("audit"):
            self.watched(trail)
            return Recorded(body, await self.audit.finished(trail, request, body))

    def watched(self, trail: Trail) -> None:
        """Show the monitor how a request ended, and the audit log what that raised.

        Raises:
            AuditError: the audit log takes no record of an alert.
        """
        for alert in self._watch.finished(trail):
            self.audit.alerted(alert)


def internal_error(trail: Trail, error: Exception) -> ServingError:
    """What a caller is told of a fault of ours; the log gets the kind and place of it, never its message."""
    where, back = "", error.__traceback__
    while back is not None:
        where, back = f"{back.tb_frame.f_code.co_qualname}:{back.tb_lineno}", back.tb_next
    _log.error(
        "internal error",
        extra={"fields": {"request_id": trail.request_id, "error": type(error).__name__, "where": where}},
    )
    return ServingError(
        "the service failed on this request",
        hint="report the request id of the response; the log names the place",
        code="internal_error",
    )


def _characters(item: Input) -> int:
    return len(item) if isinstance(item, str) else len(item[0]) + len(item[1])
