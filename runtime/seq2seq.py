"""The engine of encoder-decoder bundles: sources through the packed encoder once, targets by search."""

import secrets
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from .. import BundleError, InvalidInput, Overloaded, Unsupported
from .beams import walk_beams
from .decoder import Decoder
from .engine import Engine, Options
from .generation import DEFAULT, FinishReason, Generation, GenerationOptions, Message, Summary
from .languages import Languages, Opening
from .memory import Reservations
from .online import LazyOnline
from .packing import Tokens, groups, pack
from .sampling import GREEDY, settle
from .search import Floats, Rules, walk
from .session import Session
from .targets import Target, Together, Written
from .tokens import TextTokenizer
from .translation import EncoderDecoderSettings

if TYPE_CHECKING:
    from .bundle import Bundle
    from .selection import Selection

_BOUND = 4.0
"""Attention padding that is allowed in a group: the decoder gains more by many rows than the encoder loses."""
_MOST_TOKENS = 4096
_GOLDEN_STEPS = 8


class EncoderDecoderEngine(Engine):
    """Translates, summarizes or answers; made by `load` from a bundle with an encoder and a decoder."""

    generates = True

    def __init__(self, bundle: "Bundle", chosen: "Selection", options: Options) -> None:
        self._describe(bundle, chosen, options)
        settings = self.manifest.encoder_decoder
        if settings is None:
            raise BundleError("the bundle has no settings of a decoder", hint="export the model again")
        self.settings: EncoderDecoderSettings = settings
        decoder = next(v for v in self.manifest.components[1].variants if v.name == self.variant.name)
        encoder_session, decoder_session = (
            Session(
                bundle.files[variant.graph],
                {name: bundle.files[name] for name in variant.external},
                provider=chosen.provider,
                threads=self.threads,
                exact_sums=chosen.exact_sums,
                cpu_nodes=options.cpu_nodes,
                diagnostics=options.diagnostics,
            )
            for variant in (self.variant, decoder)
        )
        self.nodes = (*encoder_session.nodes, *decoder_session.nodes)
        self.model = EncoderDecoder(
            encoder_session, Decoder(decoder_session, settings), Reservations(options.memory_limit)
        )
        self.languages = Languages(self.tokenizer, self.manifest.tokenizer, settings, bundle.files)
        self._online = LazyOnline()

    def __repr__(self) -> str:
        return f"<EncoderDecoderEngine {self.manifest.task} {self.variant.name} on {self.provider}>"

    @property
    def width(self) -> int | None:
        """Size of a row of logits."""
        return self.settings.vocabulary

    def generate(self, prompt: str | Sequence[Message], options: GenerationOptions = DEFAULT) -> Generation:
        """Write the target of one source; see `Engine.generate`. With beams the text comes whole, at the end.

        Raises:
            InvalidInput: messages of a chat, a language the model does not know or needs, options it does not have.
            InputTooLong: the text is over the model's window.
            Overloaded: its keys and values do not fit under the memory limit; raised where the text is read.
        """
        return self.generate_each([prompt], options)[0]

    def generate_each(
        self, prompts: Sequence[str | Sequence[Message]], options: GenerationOptions = DEFAULT
    ) -> list[Generation]:
        """Write the targets of many sources side by side; see `Engine.generate_each`. Among others a text comes whole.

        Those that are alike in length and fit into memory run together: a step writes a token of all of them, whoever
        reads. Each text's target is the one it has alone.

        Raises:
            InvalidInput, InputTooLong, Overloaded: as `generate`. Where not all fit under the memory limit, fewer run
                at once.
        """
        texts = [prompt for prompt in prompts if isinstance(prompt, str)]
        if len(texts) < len(prompts):
            raise InvalidInput("this model reads a text, not the messages of a chat", hint="pass a str")
        rules, tokens = self._prepared(texts, options)
        steps = Together(self.model, tokens, rules)
        end = partial(self._written, rules=rules, stop=options.stop)
        return [Target(steps, i, len(t), self.languages.decode, end, options.stop) for i, t in enumerate(tokens)]

    def generate_all(self, texts: Sequence[str], options: GenerationOptions = DEFAULT) -> list[Written]:
        """Write the targets of many sources together. Each text's target is the one it has alone.

        Raises:
            InvalidInput, InputTooLong: as `generate`.
            Overloaded: not even one of them fits under the memory limit. Where all together do not, fewer run at once.
        """
        rules, tokens = self._prepared(texts, options)
        targets = self.model.search(tokens, rules)
        return [
            self._written(target, len(source), rules=rules, stop=options.stop)
            for target, source in zip(targets, tokens, strict=True)
        ]

    def count_tokens(self, prompt: str | Sequence[Message]) -> int:
        """Tokens of a source, with the default languages; see `Engine.count_tokens`."""
        if not isinstance(prompt, str):
            raise InvalidInput("this model reads a text, not the messages of a chat", hint="pass a str")
        return len(self.languages.encode([prompt], *self.languages.some())[0][0])

    def probe_options(self) -> GenerationOptions:
        """See `Engine.probe_options`; with languages, where the model needs them."""
        source, target = self.languages.some()
        return GenerationOptions(max_tokens=1, num_beams=1, temperature=0.0, source=source, target=target)

    def forward(self, tokens: Sequence[Tokens]) -> list[Floats]:
        """Logits of the decoder when the source's own first tokens are its target: what golden data compare.

        Shape: per text `[n, vocabulary]`, n the source's tokens, at most 8.
        """
        return [self.model.forced(one, one.ids[:_GOLDEN_STEPS].tolist(), self.settings.start_id) for one in tokens]

    def tokenize(self, texts: Sequence[object], *, truncate: bool = False) -> list[Tokens]:
        """Source ids of texts, without language tokens."""
        return plain_tokens(self.tokenizer, self.settings, [str(t) for t in texts])

    def prepare(self, *args: object, **more: object) -> "object":  # type: ignore[override]
        """Refused: this model writes text."""
        raise Unsupported(
            f"a model for {self.task} writes text",
            hint="ask it with generate",
            code="task_unsupported",
        )

    def _prepared(self, texts: Sequence[str], options: GenerationOptions) -> tuple[Rules, list[Tokens]]:
        settings = self.settings
        for name in ("constraint", "logprobs"):
            if getattr(options, name) is not None:
                raise InvalidInput(f"encoder-decoders do not have {name}", hint=f"leave {name} out")
        for name, low, high in (("num_beams", 1, 64), ("length_penalty", -100, 100)):
            value = getattr(options, name)
            if value is not None and not low <= value <= high:
                raise InvalidInput(f"{name} is out of its range", hint=f"{name} is {low} to {high}")
        said = settings.sampling
        if options.num_beams is not None and options.num_beams > 1:
            said = msgspec.structs.replace(said, temperature=None)  # beams take the place of what the bundle would draw
        if options.repetition_penalty is None:
            said = msgspec.structs.replace(said, repetition_penalty=settings.repetition_penalty)
        how = settle(options, said)
        tokens, opening = self.languages.encode(texts, options.source, options.target)
        longest = settings.longest
        if options.max_tokens is not None:
            longest = min(longest, options.max_tokens + 1)
        rules = rules_of(settings, opening, longest)
        rules = replace(
            rules,
            sampling=how,
            seed=secrets.randbits(32) if options.seed is None else options.seed,
            num_beams=options.num_beams or (1 if how.temperature else rules.num_beams),
            length_penalty=rules.length_penalty if options.length_penalty is None else options.length_penalty,
        )
        if rules.num_beams > 1 and how.temperature:
            raise InvalidInput("beam search does not sample", hint="leave out temperature, or num_beams")
        return rules, tokens

    def _written(self, target: Sequence[int], prompt: int, *, rules: Rules, stop: Sequence[str]) -> Written:
        ended = target[-1] in rules.end_ids
        body = target[1:-1] if ended else target[1:]
        text = self.languages.decode(body)
        cut = min((place for s in stop if (place := text.find(s)) >= 0), default=None)
        text = text if cut is None else text[:cut]
        reason: FinishReason = "stop" if ended or cut is not None else "length"
        return Written(text, Summary(reason, prompt, len(body)))


def plain_tokens(tokenizer: TextTokenizer, settings: EncoderDecoderSettings, texts: Sequence[str]) -> list[Tokens]:
    """Source ids for golden data: without languages, and any id of the model where the tokenizer counts otherwise."""
    found = tokenizer.raw.encode_batch_fast(list(texts), add_special_tokens=False)
    size, room = settings.vocabulary, tokenizer.window - 1
    return [Tokens(np.array([*(i % size for i in e.ids[:room]), settings.end_ids[0]], np.int64)) for e in found]


class EncoderDecoder:
    """Both graphs of a bundle. Safe to call from several threads.

    Args:
        memory: what keys and values of targets may take.
    """

    def __init__(self, encoder: Session, decoder: Decoder, memory: Reservations | None = None) -> None:
        self.encoder = encoder
        self.decoder = decoder
        self.memory = Reservations(None) if memory is None else memory

    def search(self, tokens: Sequence[Tokens], rules: Rules) -> list[list[int]]:
        """Targets of many sources, in order, start and end tokens included. Where memory is short, few at a time.

        Raises:
            Overloaded: not even one fits under the memory limit.
        """
        results: list[list[int]] = [[] for _ in tokens]
        for some, targets in self.walk_all(tokens, rules):
            for index, target in zip(some, targets, strict=True):
                results[index] = target
        return results

    def walk_all(self, tokens: Sequence[Tokens], rules: Rules) -> Generator[tuple[list[int], list[list[int]]]]:
        """Write the targets of many sources: alike in length together, and as many as fit into memory.

        After each step the places of the sources that run now, and their targets as `walk` leaves them.

        Raises:
            Overloaded: not even one fits under the memory limit.
        """
        limit = max(1, _MOST_TOKENS // rules.num_beams)
        for group in groups([len(t) for t in tokens], bound=_BOUND, token_limit=limit):
            left = group.tolist()
            while left:
                # The longest come first: what the first one needs, each needs at most.
                fitting = self.memory.fitting(self.bytes_of(len(tokens[left[0]]), rules))
                some, targets, steps = self._begun(left[: max(1, fitting)], tokens, rules)
                with closing(steps):
                    yield some, targets
                    for _ in steps:
                        yield some, targets
                left = left[len(some) :]

    def _begun(
        self, some: list[int], tokens: Sequence[Tokens], rules: Rules
    ) -> tuple[list[int], list[list[int]], Generator[None]]:
        """The first step of a batch; of fewer sources where somebody else took the memory meanwhile."""
        targets = [[rules.start_id] for _ in some]
        steps = self.walk([tokens[i] for i in some], targets, rules)
        try:
            next(steps)
        except Overloaded:
            if len(some) == 1:
                raise
            return self._begun(some[: len(some) // 2], tokens, rules)
        return some, targets, steps

    def walk(self, tokens: Sequence[Tokens], targets: list[list[int]], rules: Rules) -> Generator[None]:
        """Write the targets of one batch step by step: a step each time the iterator is asked.

        Without beams `targets` grow as they are written; with them each is there when its search is done. Closing the
        iterator frees the memory.

        Raises:
            Overloaded: the batch does not fit under the memory limit.
        """
        most = self.bytes_of(max(map(len, tokens)), rules) * len(tokens)
        with self.memory.hold(most):
            arrays = pack(tokens, 0)
            batch = self.decoder.begin(self.encoder.run(arrays), arrays["lengths"].astype(np.int32), rules.num_beams)
            yield from (walk if rules.num_beams == 1 else walk_beams)(batch, targets, rules)

    def bytes_of(self, length: int, rules: Rules) -> int:
        """What a source of so many tokens needs at most while its targets are written: keys and values of the source;
        those of every target twice, as a step writes the grown ones beside the old; a row of scores for each.
        """
        settings = self.decoder.settings
        token = 2 * settings.layers * settings.heads * settings.head_size
        row = 2 * rules.max_length * token + 2 * settings.vocabulary
        return 4 * (length * token + rules.num_beams * row)

    def forced(self, tokens: Tokens, target: Sequence[int], start_id: int) -> Floats:
        """Logits at each token of a given target. Shape: `[len(target), vocabulary]`."""
        arrays = pack([tokens], 0)
        batch = self.decoder.begin(self.encoder.run(arrays), arrays["lengths"].astype(np.int32))
        return np.stack([batch.step(np.array([i], np.int64))[0] for i in [start_id, *target[:-1]]])


def rules_of(settings: EncoderDecoderSettings, opening: Opening, longest: int) -> Rules:
    """The search that the source's generation config asks for, without its sampling.

    Args:
        settings: the bundle's.
        opening: how the target begins.
        longest: most tokens of the target, the start token included.
    """
    return Rules(
        start_id=opening.start_id,
        end_ids=tuple(settings.end_ids),
        max_length=longest,
        forced_first_id=opening.first_id,
        forced_last_id=settings.forced_last_id,
        suppressed=tuple(settings.suppressed),
        min_length=settings.min_length,
        no_repeat_ngram_size=settings.no_repeat_ngram_size,
        sampling=replace(GREEDY, repetition_penalty=settings.repetition_penalty),
        num_beams=settings.num_beams,
        length_penalty=settings.length_penalty,
        early_stopping=settings.early_stopping,
    )
