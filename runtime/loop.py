"""Continuous batching: the thread in which all generations of an engine read their prompts and get their tokens."""

import math
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .. import Overloaded, Unavailable
from .constrain import Guide
from .decoding import CHUNK, Cached, Decoder, Rows
from .generation import FinishReason, Piece, TokenLogprob
from .memory import resident
from .prefixes import Block, Prefixes, after, root
from .sampling import Floats, Sampler, log_softmax
from .streaming import Channel, TextStream
from .tokens import TextTokenizer

ROWS, WAITING = 32, 256
"""Most generations that run at once, and that wait."""

_KEPT = 16
"""Fewer tokens than this are read again rather than kept. A probe of the service is shorter, and so always runs."""

_FORGETTING = 0.9


@dataclass(frozen=True, repr=False)
class Order:
    """What a generation is made by.

    Attributes:
        prompt: tokens; at least one.
        most: tokens to write at most.
        sampler, guide: choose them.
        stop: texts that end it.
        logprobs: alternatives to tell with each token; None: nothing is told.
        end_ids: tokens that end it.
        salt: prompts under different ones share no cached beginnings.
    """

    prompt: NDArray[np.int64]
    most: int
    sampler: Sampler
    guide: Guide | None
    stop: Sequence[str]
    logprobs: int | None
    end_ids: Sequence[int]
    salt: str | None


class Text:
    """One generation as the loop sees it. `read` and `take` run in its thread, everything else anywhere."""

    def __init__(self, loop: "Loop", words: TextTokenizer, order: Order) -> None:
        self.prompt_tokens = len(order.prompt)
        self.order = order
        self.sequence: Cached | None = None
        self.token = -1
        self.completion_tokens = 0
        self._loop = loop
        self._words = words
        self._key = root(order.salt)
        self._cached = 0
        self._stream = TextStream(words.text, order.stop)
        self.channel = Channel(self.prompt_tokens)

    @property
    def ended(self) -> bool:
        """Whether nothing more comes."""
        return self.channel.ended

    @property
    def tokens(self) -> int:
        """Most tokens that it will have."""
        return self.prompt_tokens + self.order.most

    @property
    def left(self) -> tuple[int, int]:
        """Tokens that are still to be read of the prompt, and to be written at most."""
        sequence, written = self.sequence, self.completion_tokens
        read = self.prompt_tokens if written else 0 if sequence is None else len(sequence)
        return self.prompt_tokens - read, self.order.most - written

    def read(self, decoder: Decoder, prefixes: Prefixes) -> Floats | None:
        """Read a chunk of the prompt, or all that is known of it; the logits after the prompt once it is read."""
        if self.sequence is None:
            self.sequence = decoder.sequence(self.prompt_tokens if decoder.shares else self.tokens)
        logits = None
        while (tokens := self._chunk(len(self.sequence))).size:
            key = after(self._key, tokens)
            block = prefixes.find(key)
            if block is None:
                break
            self.sequence.restore(block.values)
            self._key, logits = key, block.logits
            self._cached += tokens.size
        if tokens.size:
            start = len(self.sequence)
            logits = self.sequence.append(tokens)
            self._key = key
            if prefixes.limit and tokens.size >= _KEPT and self._loop.spare() > 0:
                prefixes.add(key, Block(self.sequence.block(start), logits))
        return logits if len(self.sequence) == self.prompt_tokens else None

    def _chunk(self, start: int) -> NDArray[np.int64]:
        return self.order.prompt[start : start + CHUNK]

    def take(self, logits: Floats) -> bool:
        """Choose a token and tell it; whether there will be more. The token is in `token` then."""
        order = self.order
        allowed = None if order.guide is None else order.guide.allowed()
        token = order.sampler.draw(logits, allowed)
        if token in order.end_ids:
            return self._finish("stop")
        order.sampler.take(token)
        self.completion_tokens += 1
        self.token = token
        text, stopped = self._stream.take(token)
        logprobs = () if order.logprobs is None else (self._logprob(logits, token, order.logprobs),)
        if text or logprobs:
            self.channel.put(Piece(text, logprobs))
        if stopped or (order.guide is not None and order.guide.take(token)):
            return self._finish("stop", flush=not stopped)
        if self.completion_tokens == order.most:
            return self._finish("length")
        return True

    def _finish(self, reason: FinishReason, *, flush: bool = True) -> bool:
        rest = self._stream.rest() if flush else ""
        if rest:
            self.channel.put(Piece(rest))
        self.channel.finish(reason, self.completion_tokens, self._cached)
        return False

    def fail(self, error: BaseException) -> None:
        """End with an error."""
        self.channel.fail(error)

    def _logprob(self, logits: Floats, token: int, most: int) -> TokenLogprob:
        values = log_softmax(logits)
        best = np.argsort(-values, kind="stable")[:most]
        others = tuple(self._token(int(i), float(values[i])) for i in best)
        one = self._token(token, float(values[token]))
        return TokenLogprob(one.token, one.utf8, one.logprob, others)

    def _token(self, token: int, logprob: float) -> TokenLogprob:
        return TokenLogprob(self._words.token(token), self._words.token_bytes(token), logprob)

    def cancel(self) -> None:
        """Nobody reads it any more; harmless when it has ended."""
        if not self.ended:
            self.channel.finish("cancelled", self.completion_tokens, self._cached)
            self._loop.leave(self)


class Loop:
    """Runs generations: a chunk of one prompt and a token for every text, in turn.

    Prompts are read a chunk at a time and by turns, so a long one neither holds up the texts that are being written
    nor a short prompt. Who leaves does so between two runs, and frees its memory then.

    Args:
        decoder: what runs.
        bytes_per_token: of keys and values.
        prefixes: beginnings of prompts that need not be read again.
        limit: bytes that the process may hold; None for no limit.
    """

    def __init__(self, decoder: Decoder, bytes_per_token: int, prefixes: Prefixes, limit: int | None) -> None:
        self._decoder = decoder
        self._bytes = bytes_per_token
        self._prefixes = prefixes
        self._limit = limit
        self._changed = threading.Condition()
        self._waiting: deque[Text] = deque()
        self._reading: deque[Text] = deque()
        self._writing: list[Text] = []
        self._rows: Rows = decoder.batch()
        self._pace = [0.0, 0.0]
        self._closed = False
        self._thread: threading.Thread | None = None

    @property
    def running(self) -> int:
        """Generations that hold memory."""
        return len(self._reading) + len(self._writing)

    @property
    def backlog(self) -> float:
        """Seconds until everything asked for so far would be written, at the pace seen so far."""
        with self._changed:
            texts = [*self._waiting, *self._reading, *self._writing]
            left = [text.left for text in texts]
        per_read, per_step = self._pace
        rows = max(1, min(ROWS, len(left)))
        return per_read * sum(read for read, _ in left) + per_step * sum(write for _, write in left) / rows

    def admit(self, prompt: int, most: int) -> None:
        """Refuse a generation for which there is no room.

        Raises:
            Overloaded: its memory would not fit, or too many wait.
        """
        if len(self._waiting) >= WAITING:
            raise Overloaded("too many generations wait", hint="try again later")
        spare = self.spare(prompt, most)
        if spare < 0:
            # What is only kept for later gives way first.
            self._prefixes.shrink(int(self._prefixes.nbytes + spare))
            spare = self.spare(prompt, most)
        if spare < 0:
            raise Overloaded(
                "the keys and values of this generation do not fit under the memory limit",
                hint="ask for fewer tokens (max_tokens), try again later, or raise --memory-limit",
                code="memory_limit",
            )

    def spare(self, prompt: int = 0, most: int = 0) -> float:
        """Bytes under the memory limit once everything runs that was asked for, and one more if given.

        Counted are keys and values of all that run and wait, as far as they are not in memory yet, those of the
        longest prompt a second time while they change their place, and what a run needs beside them.
        """
        if self._limit is None:
            return math.inf
        with self._changed:
            texts = [*self._waiting, *self._reading, *self._writing]
            tokens = prompt + most + sum(sum(text.left) for text in texts)
            moved = max([prompt, *(text.prompt_tokens for text in texts)])
            longest = max([prompt + most, *(text.tokens for text in texts)])
            working = self._decoder.working_bytes(longest, min(ROWS, len(texts) + 1))
        return self._limit - resident() - (tokens + moved) * self._bytes - working

    def submit(self, text: Text) -> None:
        """Queue a generation.

        Raises:
            Unavailable: the loop was closed.
        """
        with self._changed:
            if self._closed:
                raise Unavailable("the engine was closed", hint="load the bundle again")
            self._waiting.append(text)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="cloister-generate", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def leave(self, text: Text) -> None:
        """One that ended is not run any more; its memory is freed at once, or when the run under way has ended."""
        with self._changed:
            if text in self._waiting:
                self._waiting.remove(text)

    def close(self) -> None:
        """End every generation and take nothing more."""
        with self._changed:
            self._closed = True
            left = [*self._waiting, *self._reading, *self._writing]
            self._changed.notify_all()
            thread = self._thread
        for text in left:
            text.cancel()
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        self._prefixes.shrink(0)

    def _run(self) -> None:
        while self._ready():
            self._read()
            self._write()
        for text in [*self._reading, *self._writing]:
            text.sequence = None
        self._reading, self._writing, self._rows = deque(), [], self._decoder.batch()

    def _ready(self) -> bool:
        """Wait for something to do; False once the loop is closed."""
        with self._changed:
            self._tidy()
            while not self._closed and not self._waiting and not self.running:
                self._changed.wait()
            while self._waiting and self.running < ROWS:
                self._reading.append(self._waiting.popleft())
            return not self._closed

    def _tidy(self) -> None:
        """Free what belongs to texts that ended."""
        for row in reversed(range(len(self._writing))):
            if self._writing[row].ended:
                self._rows.leave(row)
                self._writing[row] = self._writing[-1]
                self._writing.pop()
        for text in [text for text in self._reading if text.ended]:
            text.sequence = None
            self._reading.remove(text)

    def _read(self) -> None:
        """A chunk of the prompt whose turn it is."""
        if not self._reading:
            return
        text = self._reading[0]
        started, before = time.perf_counter(), text.left[0]
        try:
            logits = text.read(self._decoder, self._prefixes)
            self._observe(0, (time.perf_counter() - started) / max(1, before - text.left[0]))
            goes_on = logits is None or text.take(logits)
            if logits is not None and goes_on and text.sequence is not None:
                self._rows.join(text.sequence, text.tokens)
        except Exception as error:  # noqa: BLE001 - told to the one who reads
            text.fail(error)
            goes_on = False
        with self._changed:
            self._reading.popleft()
            if goes_on and logits is None:
                self._reading.append(text)
            else:
                text.sequence = None
                if goes_on:
                    self._writing.append(text)

    def _write(self) -> None:
        """A token for every text that is being written."""
        with self._changed:
            self._tidy()
        texts = list(self._writing)
        if not texts:
            return
        started = time.perf_counter()
        try:
            logits = self._rows.step([text.token for text in texts])
        except Exception as error:  # noqa: BLE001 - told to those who read
            for text in texts:
                text.fail(error)
            return
        self._observe(1, time.perf_counter() - started)
        for text, row in zip(texts, logits, strict=True):
            try:
                text.take(row)
            except Exception as error:  # noqa: BLE001 - told to the one who reads
                text.fail(error)

    def _observe(self, which: int, seconds: float) -> None:
        known = self._pace[which]
        self._pace[which] = seconds if not known else _FORGETTING * known + (1 - _FORGETTING) * seconds
