"""Decoders: prompts become texts, several at once, a token of each in turn."""

import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from .. import InputTooLong, InvalidInput, Overloaded, Unavailable, Unsupported
from .bundle import Bundle
from .chat import Chat, Template
from .choice import Examples, as_chat, as_text
from .constrain import Guide, guide
from .engine import Engine, Options
from .genai import Cached, Decoder, Floats
from .generation import DEFAULT, Generation, GenerationOptions, Message, Piece, TokenLogprob
from .golden import Check, replay
from .manifest import GeneratorSettings
from .memory import resident
from .packing import Tokens
from .results import Classification, Prediction
from .sampling import Sampler, log_softmax, settle
from .selection import Selection
from .streaming import Channel, TextStream
from .tasks import TOP_K
from .tokens import validated

_RUNNING, _WAITING = 32, 256


class GeneratorEngine(Engine):
    """An engine that writes text by a decoder; made by `load`."""

    generates = True

    def __init__(self, bundle: Bundle, chosen: Selection, options: Options) -> None:
        self._describe(bundle, chosen, options)
        settings = self.manifest.generator
        if settings is None:
            raise TypeError("a generator without settings")
        self.settings = settings
        self.nodes = ()
        self._decoder = self._opened(bundle, settings)
        named = settings.chat_template
        template = None if named is None else Template(bundle.files[named].decode(), settings.template_tokens)
        self._chat = Chat(self.tokenizer, template, settings.start_id)
        self._limit = options.memory_limit
        self._worker = _Worker()
        width = 2 if self.variant.precision == "fp16" else 4
        self.bytes_per_token: int = 2 * settings.layers * settings.key_value_heads * settings.head_size * width

    def _opened(self, bundle: Bundle, settings: GeneratorSettings) -> Decoder:
        def decoder(graph: bytes | Path) -> Decoder:
            window = self.tokenizer.window
            return Decoder(graph, settings, window, provider=self.provider, threads=self.threads)

        variant = self.variant
        if not variant.external:
            return decoder(bundle.files[variant.graph])
        with bundle.on_disk([variant.graph, *variant.external]) as folder:
            return decoder(folder / variant.graph)

    @property
    def width(self) -> int | None:
        """Tokens of the vocabulary."""
        return self.settings.vocabulary

    @cached_property
    def _guide(self) -> Any:
        return guide(self.tokenizer.raw.to_str(), self.settings.vocabulary, self.settings.end_ids)

    def render(self, messages: Sequence[Message]) -> str:
        """See `Engine.render`."""
        return self._chat.render(messages)

    def count_tokens(self, prompt: str | Sequence[Message]) -> int:
        """See `Engine.count_tokens`."""
        return len(self._chat.tokens(prompt))

    def generate(self, prompt: str | Sequence[Message], options: GenerationOptions = DEFAULT) -> Generation:
        """See `Engine.generate`."""
        if any(v is not None for v in (options.num_beams, options.length_penalty, options.source, options.target)):
            raise InvalidInput(
                "beams, length penalty and languages are options of encoder-decoders",
                hint="leave them out for a text-generation model",
            )
        settled = settle(options, self.settings.sampling)
        tokens = self._chat.tokens(prompt)
        room = self.tokenizer.window - len(tokens)
        if not tokens:
            raise InvalidInput("the prompt has no tokens", hint="give a text")
        if room < 1:
            raise InputTooLong(
                f"the prompt has {len(tokens)} tokens, the model's context is {self.tokenizer.window}",
                hint="shorten it",
            )
        most = room if options.max_tokens is None else min(options.max_tokens, room)
        constraint = None if options.constraint is None else Guide(self._guide, options.constraint)
        self._worker.admit((len(tokens) + most) * self.bytes_per_token, self._limit)
        text = _Text(self, tokens, most, Sampler(settled, tokens, options.seed), constraint, options)
        self._worker.submit(text)
        return text

    def predict(
        self,
        texts: Sequence[str | tuple[str, str]],
        *,
        truncate: bool = False,
        labels: Sequence[str] | None = None,
        top_k: int = TOP_K,
        examples: Sequence[tuple[str, str]] = (),
        chat: bool | None = None,
    ) -> list[Prediction]:
        """Choose a label for each text by what the model would write after it.

        The score of a label is the probability that it is written and nothing after it, relative to the other labels.

        Args:
            texts: single texts.
            truncate: not possible here.
            labels: what to choose from, at least one.
            top_k: not used.
            examples: texts with their labels, shown to the model before each text: as turns of the chat, or as text.
            chat: whether the model is asked in its chat template, as models that were trained on chats expect; None
                where the bundle has one.

        Raises:
            Unsupported: no labels: ask `generate` for text.
            InvalidInput: `chat` without a chat template; and as `Engine.predict`, as InputTooLong.
        """
        if labels is None:
            raise Unsupported(
                "a model that writes text predicts only with labels to choose from",
                hint="pass labels (--labels a,b), or use generate",
                code="labels_missing",
            )
        names = list(dict.fromkeys(labels))
        if not names or len(names) != len(labels) or not all(isinstance(n, str) and n.strip() for n in names):
            raise InvalidInput("the labels are empty, or one is given twice", hint="pass two or more different labels")
        if any(label not in names for _, label in examples):
            raise InvalidInput("an example has a label that is not among the labels", hint="add it, or leave it out")
        in_chat = self._chat.has_template if chat is None else chat
        asked = as_chat if in_chat else as_text
        return [self._classify(text, index, names, examples, asked) for index, text in enumerate(validated(texts))]

    def _classify(
        self,
        text: str | tuple[str, str],
        index: int,
        labels: list[str],
        examples: Sequence[tuple[str, str]],
        asked: Callable[[str, Sequence[str], Examples], str | list[Message]],
    ) -> Classification:
        if not isinstance(text, str):
            raise InvalidInput(f"input {index} is a pair", hint="a choice of labels reads single texts")
        prompt = asked(text, labels, examples)
        start = self._chat.tokens(prompt)
        # A label of a text is a line, an answer in a chat ends with the model's own token.
        in_chat = not isinstance(prompt, str)
        endings = [self.tokenizer.plain(label if in_chat else f" {label}\n") for label in labels]
        ends = self.settings.end_ids if in_chat else []
        longest = len(start) + max(map(len, endings))
        if longest > self.tokenizer.window:
            raise InputTooLong(
                f"input {index} makes {longest} tokens, the model's context is {self.tokenizer.window}",
                hint="shorten it, or give fewer examples",
            )
        sequence = self._decoder.sequence(longest)
        first = sequence.append(start)
        logs = np.array([self._log_probability(sequence, len(start), first, ending, ends) for ending in endings])
        scores = np.exp(logs - logs.max())
        scores /= scores.sum()
        best = int(scores.argmax())
        return Classification(labels[best], float(scores[best]), dict(zip(labels, map(float, scores), strict=True)))

    def _log_probability(
        self, sequence: Cached, start: int, logits: Floats, tokens: list[int], ends: Sequence[int]
    ) -> float:
        """Of these tokens, and of one of the ends after them where there are any."""
        if len(sequence) > start:
            sequence.rewind(start)
        total = 0.0
        for place, token in enumerate(tokens):
            total += float(log_softmax(logits)[token])
            if place + 1 < len(tokens) or ends:
                logits = sequence.append([token])
        return total + (float(np.logaddexp.reduce(log_softmax(logits)[list(ends)])) if ends else 0.0)

    def submit(self, *_: Any, **__: Any) -> Any:
        """Raises Unsupported: texts are generated, not queued for a prediction."""
        raise Unsupported("a model that writes text takes no queued predictions", hint="use generate or predict")

    def forward(self, tokens: Sequence[Tokens]) -> list[Floats]:
        """Logits of what follows each text. Shape: per text `[vocabulary]`."""
        return [self._decoder.sequence(len(t) + 1).append(t.ids.astype(np.int32)) for t in tokens]

    def replay(self, bundle: Bundle) -> Check:
        """See `Engine.replay`; golden inputs are prompts, golden outputs the logits after them."""

        def follow(texts: Sequence[Any]) -> list[Floats]:
            return self.forward([Tokens(np.array(self._chat.tokens(t), np.int64), None) for t in texts])

        return replay(bundle, self.variant, follow)

    def close(self) -> None:
        """End every generation and take nothing more."""
        self._worker.close()


class _Text(Generation):
    """One generation: its own sequence, sampler and stream; `step` runs in the worker, everything else in callers."""

    def __init__(
        self,
        engine: GeneratorEngine,
        tokens: list[int],
        most: int,
        sampler: Sampler,
        constraint: Guide | None,
        options: GenerationOptions,
    ) -> None:
        self.prompt_tokens = len(tokens)
        self.bytes = (len(tokens) + most) * engine.bytes_per_token
        self._engine = engine
        self._left = tokens
        self._most = most
        self._sampler = sampler
        self._guide = constraint
        self._logprobs = options.logprobs
        self._sequence: Cached | None = None
        self._written = 0
        self._stream = TextStream(engine.tokenizer.text, options.stop)
        self._channel = Channel(self.prompt_tokens)

    @property
    def ended(self) -> bool:
        """Whether nothing more comes."""
        return self._channel.ended

    def step(self) -> None:
        """Read what there is to read and write a token."""
        if self._sequence is None:
            self._sequence = self._engine._decoder.sequence(self.prompt_tokens + self._most)
        logits = self._sequence.append(self._left)
        allowed = None if self._guide is None else self._guide.allowed()
        token = self._sampler.draw(logits, allowed)
        if token in self._engine.settings.end_ids:
            return self._finish("stop")
        self._sampler.take(token)
        self._written += 1
        self._left = [token]
        text, stopped = self._stream.take(token)
        logprobs = () if self._logprobs is None else (self._logprob(logits, token, self._logprobs),)
        if text or logprobs:
            self._channel.put(Piece(text, logprobs))
        if stopped or (self._guide is not None and self._guide.take(token)):
            return self._finish("stop", flush=not stopped)
        if self._written == self._most:
            return self._finish("length")
        return None

    def fail(self, error: BaseException) -> None:
        """End with an error."""
        self._sequence = None
        self._channel.fail(error)

    def _finish(self, reason: Any, *, flush: bool = True) -> None:
        rest = self._stream.rest() if flush else ""
        if rest:
            self._channel.put(Piece(rest))
        self._sequence = None
        self._channel.finish(reason, self._written)

    def _logprob(self, logits: Floats, token: int, most: int) -> TokenLogprob:
        values = log_softmax(logits)
        best = np.argsort(-values, kind="stable")[:most]
        others = tuple(self._token(int(i), float(values[i])) for i in best)
        one = self._token(token, float(values[token]))
        return TokenLogprob(one.token, one.utf8, one.logprob, others)

    def _token(self, token: int, logprob: float) -> TokenLogprob:
        words = self._engine.tokenizer
        return TokenLogprob(words.token(token), words.token_bytes(token), logprob)

    def pieces(self) -> Iterator[Piece]:
        """See `Generation.pieces`."""
        try:
            yield from self._channel.read()
        finally:
            self.close()

    async def apieces(self) -> AsyncIterator[Piece]:
        """See `Generation.apieces`."""
        try:
            async for piece in self._channel.aread():
                yield piece
        finally:
            self.close()

    def close(self) -> None:
        """See `Generation.close`."""
        if not self.ended:
            self._channel.finish("cancelled", self._written)
            self._engine._worker.leave(self)

    def drop(self) -> None:
        """Free keys and values; called in the worker, or when it does not run this."""
        self._sequence = None

    @property
    def summary(self) -> Any:
        """See `Generation.summary`."""
        return self._channel.summary

    def __del__(self) -> None:
        if hasattr(self, "_channel"):
            self.close()


class _Worker:
    """The thread that runs generations: each that is under way writes one token in turn."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running: deque[_Text] = deque()
        self._waiting: deque[_Text] = deque()
        self._current: _Text | None = None
        self._closed = False
        self._thread: threading.Thread | None = None

    def admit(self, more: int, limit: int | None) -> None:
        """Raises Overloaded where so many bytes would not fit, or too many wait."""
        with self._changed:
            if len(self._waiting) >= _WAITING:
                raise Overloaded("too many generations wait", hint="try again later")
            # What those that run have reserved is allocated when they start; what waits is not yet.
            promised = sum(text.bytes for text in self._waiting)
            if limit is not None and resident() + promised + more > limit:
                raise Overloaded(
                    "the keys and values of this generation do not fit under the memory limit",
                    hint="ask for fewer tokens (max_tokens), try again later, or raise --memory-limit",
                    code="memory_limit",
                )

    def submit(self, text: _Text) -> None:
        with self._changed:
            if self._closed:
                raise Unavailable("the engine was closed", hint="load the bundle again")
            self._waiting.append(text)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="cloister-generate", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def leave(self, text: _Text) -> None:
        """Take out one that nobody waits for, and free its memory at once, or right after the token under way."""
        with self._changed:
            for line in (self._waiting, self._running):
                if text in line:
                    line.remove(text)
            if text is not self._current:
                text.drop()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            left = [*self._waiting, *self._running]
            self._changed.notify_all()
            thread = self._thread
        for text in left:
            text.close()
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _next(self) -> _Text | None:
        with self._changed:
            self._current = None
            while not self._closed and not self._running and not self._waiting:
                self._changed.wait()
            if self._closed:
                return None
            while self._waiting and len(self._running) < _RUNNING:
                self._running.appendleft(self._waiting.popleft())
            self._current = self._running.popleft()
            return self._current

    def _run(self) -> None:
        while (text := self._next()) is not None:
            try:
                if not text.ended:
                    text.step()
            except Exception as error:  # noqa: BLE001 - told to the one who reads
                text.fail(error)
            with self._changed:
                if text.ended:
                    text.drop()
                else:
                    self._running.append(text)
            del text
