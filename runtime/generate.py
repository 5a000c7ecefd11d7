"""Decoders: prompts become texts, many at once."""

import weakref
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from .. import InputTooLong, InvalidInput, Unsupported
from .bundle import Bundle
from .chat import Chat, Template
from .choice import Examples, as_chat, as_text
from .constrain import Guide, guide
from .decoding import Cached, Decoder, open_decoder
from .engine import Engine, Options
from .generation import DEFAULT, Generation, GenerationOptions, Message, Piece, Summary
from .golden import Check, replay
from .loop import Loop, Order, Text
from .manifest import GeneratorSettings
from .packing import Tokens
from .prefixes import Prefixes
from .results import Classification, Prediction
from .sampling import Floats, Sampler, log_softmax, settle
from .selection import Selection
from .tasks import TOP_K
from .tokens import validated


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
        self._decoder = self._opened(bundle, settings, options.loop_threads or self.threads)
        named = settings.chat_template
        template = None if named is None else Template(bundle.files[named].decode(), settings.template_tokens)
        self._chat = Chat(self.tokenizer, template, settings.start_id)
        width = 2 if self.variant.precision == "fp16" else 4
        self.bytes_per_token: int = 2 * settings.layers * settings.key_value_heads * settings.head_size * width
        prefixes = Prefixes(options.prompt_cache if self._decoder.shares else 0)
        self._loop = Loop(self._decoder, self.bytes_per_token, prefixes, options.memory_limit)
        # Its thread waits for texts, and would keep the model of an engine that nobody closed.
        weakref.finalize(self, self._loop.close)

    def _opened(self, bundle: Bundle, settings: GeneratorSettings, threads: int) -> Decoder:
        def decoder(graph: bytes | Path) -> Decoder:
            window = self.tokenizer.window
            return open_decoder(graph, settings, window, provider=self.provider, threads=threads)

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
        self._loop.admit(len(tokens), most)
        order = Order(
            np.array(tokens, np.int64),
            most,
            Sampler(settled, tokens, options.seed),
            constraint,
            options.stop,
            options.logprobs,
            self.settings.end_ids,
            options.cache_salt,
        )
        text = Text(self._loop, self.tokenizer, order)
        self._loop.submit(text)
        return _Reader(text, self)

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
        return [self._decoder.sequence(len(t) + 1).append(t.ids) for t in tokens]

    def replay(self, bundle: Bundle) -> Check:
        """See `Engine.replay`; golden inputs are prompts, golden outputs the logits after them."""

        def follow(texts: Sequence[Any]) -> list[Floats]:
            return self.forward([Tokens(np.array(self._chat.tokens(t), np.int64), None) for t in texts])

        return replay(bundle, self.variant, follow)

    @property
    def backlog(self) -> float:
        """See `Engine.backlog`."""
        return self._loop.backlog

    def close(self) -> None:
        """End every generation and take nothing more."""
        self._loop.close()


class _Reader(Generation):
    """The reader's end of a text. When nobody holds it any more, the text is not written any further."""

    def __init__(self, text: Text, engine: GeneratorEngine) -> None:
        self.prompt_tokens = text.prompt_tokens
        self._text = text
        self._engine = engine  # lives as long as what it writes is read

    def pieces(self) -> Iterator[Piece]:
        """See `Generation.pieces`."""
        try:
            yield from self._text.channel.read()
        finally:
            self.close()

    async def apieces(self) -> AsyncIterator[Piece]:
        """See `Generation.apieces`."""
        try:
            async for piece in self._text.channel.aread():
                yield piece
        finally:
            self.close()

    def close(self) -> None:
        """See `Generation.close`."""
        self._text.cancel()

    @property
    def summary(self) -> Summary:
        """See `Generation.summary`."""
        return self._text.channel.summary

    def __del__(self) -> None:
        self._text.cancel()
