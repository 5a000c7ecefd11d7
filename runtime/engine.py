"""`Engine.predict(texts)`: tokens, groups, session, heads. `loading.load` makes engines."""

import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import BundleError, Unsupported
from ..privacy.monitoring import reference as monitoring
from .bundle import Bundle
from .encoder import Encoder
from .generation import DEFAULT, Generation, GenerationOptions, Message
from .golden import Check, replay
from .linear import LinearHead
from .manifest import Manifest, Variant, is_per_token
from .online import LazyOnline, Pending
from .packing import Tokens
from .processor import available_threads
from .results import Prediction
from .selection import Selection
from .session import CpuNodes, Diagnostics, Node, Session
from .tasks import TOP_K, Prepared, Wanted, labelled, prepare
from .tokens import TextTokenizer, validated

if TYPE_CHECKING:
    pass

Floats = NDArray[np.float32]

PROMPT_CACHE = 256 << 20
"""Bytes that a generator keeps of prompts' beginnings unless told otherwise."""


@dataclass(frozen=True)
class Options:
    """How an engine runs.

    Attributes:
        provider: `cpu`, `cuda`, or `auto` (the first that is available and for which the bundle has a variant).
        variant: name of a variant; None takes the first that suits provider and processor.
        threads: threads for one run; None takes what affinity and container quota allow.
        loop_threads: the same for a decoder, all of whose texts are written by one loop; None: as `threads`.
        cpu_nodes: whether single operators may run on the processor under another provider: `refuse` or `warn`.
        diagnostics: files that onnxruntime writes about its work; refused for sealed bundles.
        memory_limit: bytes that this process may hold; a generation whose keys and values would not fit under it is
            refused. None for no limit.
        prompt_cache: bytes for beginnings of prompts that a generator need not read again; 0 for none.
    """

    provider: str = "auto"
    variant: str | None = None
    threads: int | None = None
    loop_threads: int | None = None
    cpu_nodes: CpuNodes = "refuse"
    diagnostics: Diagnostics | None = None
    memory_limit: int | None = None
    prompt_cache: int = PROMPT_CACHE


class Engine:
    """A loaded bundle. Safe to call from several threads; made by `load`.

    This class answers by an encoder. Bundles whose model writes text get a subclass, which has `generate` in place of
    `predict`.

    Attributes:
        variant: what of the bundle runs.
        provider: what it runs on.
        selection: one sentence that says why this variant.
        nodes: every operator of the graph as onnxruntime runs it, with its provider.
    """

    generates: bool = False
    """Whether `generate` is what this engine answers by."""

    def __init__(self, bundle: Bundle, chosen: Selection, options: Options) -> None:
        self._describe(bundle, chosen, options)
        manifest, variant = self.manifest, self.variant
        session = Session(
            bundle.files[variant.graph],
            {name: bundle.files[name] for name in variant.external},
            provider=chosen.provider,
            threads=self.threads,
            exact_sums=chosen.exact_sums,
            cpu_nodes=options.cpu_nodes,
            diagnostics=options.diagnostics,
        )
        self.nodes: tuple[Node, ...] = session.nodes
        width = session.width()
        if manifest.head is None and manifest.labels and width is not None and width != len(manifest.labels):
            raise BundleError(
                f"the manifest names {len(manifest.labels)} labels, the graph has {width} outputs",
                hint="export the model again",
                code="labels_mismatch",
            )
        if manifest.head is not None and width is not None and width != manifest.head.inputs:
            raise BundleError(
                f"the head reads {manifest.head.inputs} values, the graph gives {width}",
                hint="make the bundle again",
                code="labels_mismatch",
            )
        self.encoder = Encoder(
            session,
            packed=variant.path == "packed",
            per_token=is_per_token(manifest.task, manifest.pooling),
            pooling=manifest.pooling,
            first_position=manifest.tokenizer.first_position,
            padding_id=manifest.tokenizer.padding_id,
            head=_head(bundle),
            mask_id=manifest.tokenizer.mask_id,
        )
        self._online = LazyOnline()

    def _describe(self, bundle: Bundle, chosen: Selection, options: Options) -> None:
        """What every kind of engine has, before its graphs are opened."""
        manifest = bundle.manifest
        self.manifest: Manifest = manifest
        self.digest: str = bundle.digest
        self.variant: Variant = chosen.variant
        self.provider: str = chosen.provider
        self.selection: str = chosen.reason
        self.threads: int = options.threads or available_threads()
        named = manifest.reference
        self.reference = None if named is None else monitoring.decode(bundle.files[named])
        self.tokenizer = TextTokenizer(bundle.files[manifest.tokenizer.file], manifest.tokenizer)

    def __repr__(self) -> str:
        return f"<Engine {self.manifest.task} {self.variant.name} on {self.provider}>"

    @property
    def task(self) -> str:
        """The bundle's task."""
        return self.manifest.task

    @property
    def labels(self) -> tuple[str, ...]:
        """The model's labels, in the order of its outputs."""
        return tuple(self.manifest.labels)

    @property
    def width(self) -> int | None:
        """Size of a result's row: labels or dimensions; None where the graph leaves it open."""
        return len(self.labels) if self.manifest.head is not None else self.encoder.session.width()

    def predict(
        self,
        texts: Sequence[str | tuple[str, str]],
        *,
        truncate: bool = False,
        labels: Sequence[str] | None = None,
        top_k: int = TOP_K,
    ) -> list[Prediction]:
        """Answer texts, in order.

        Args:
            texts: texts, or pairs `(text, text_pair)`; for question answering `(question, context)`, for ranking
                `(query, document)`. Tagging marks the first text of a pair.
            truncate: answer a text over the model's window from its beginning, and mark the result, instead of
                refusing. Tagging never truncates: it reads a long text in overlapping windows; question answering
                does so with the context.
            labels: for zero-shot classification what to choose from, at most 256; a run for each label and text.
            top_k: for fill-mask the most candidates of a mask.

        Returns:
            One result per text: `Classification`, `Tagging`, `Embedding`, `Answer`, `Filling` or `Score`, by the
            bundle's task. The same text gives the same bits whatever else is in the list, on one machine with the same
            options.

        Raises:
            InputTooLong: a text is over the window and `truncate` is off.
            InvalidInput: not a list of texts or pairs, a text that is not valid Unicode, a pair for a task of single
                texts or the other way round, labels where the bundle takes none, no labels where it does, a label
                twice, or a text without a mask.
        """
        prepared = self.prepare(texts, Wanted(truncate, labelled(labels), top_k))
        return prepared.finish(self.forward(prepared.tokens))

    def submit(
        self,
        texts: Sequence[str | tuple[str, str]],
        *,
        truncate: bool = False,
        labels: Sequence[str] | None = None,
        top_k: int = TOP_K,
        timeout: float = math.inf,
    ) -> Pending:
        """Queue texts to run together with those of other callers; wait with `.result()` or `await`.

        Args:
            texts, truncate, labels, top_k: as for `predict`.
            timeout: seconds until nobody waits for the answer any more.

        Raises:
            InputTooLong, InvalidInput: as `predict`.
            Overloaded: too much waits already.
            Unavailable: the engine was closed.
        """
        wanted = Wanted(truncate, labelled(labels), top_k)
        return self._online.get(self).submit(texts, wanted=wanted, timeout=timeout)

    async def apredict(
        self,
        text: str | tuple[str, str],
        *,
        truncate: bool = False,
        labels: Sequence[str] | None = None,
        top_k: int = TOP_K,
        timeout: float = math.inf,
    ) -> Prediction:
        """Answer one text from a coroutine; it joins the batches of everyone else who asks this engine.

        Raises:
            DeadlineExceeded: `timeout` seconds passed.
            ModelFailed, WorkerDied, Overloaded, Unavailable: see `submit` and its `result`.
            InputTooLong, InvalidInput: as `predict`.
        """
        return (await self.submit([text], truncate=truncate, labels=labels, top_k=top_k, timeout=timeout))[0]

    @property
    def backlog(self) -> float:
        """Seconds until every text that was asked of `generate` so far would be written, where that is known."""
        return 0.0

    def generate(self, prompt: str | Sequence[Message], options: GenerationOptions = DEFAULT) -> Generation:
        """Write text after a prompt.

        Args:
            prompt: a text, or the messages of a chat, which the model's chat template is applied to. For an
                encoder-decoder the text that is translated, summarized or answered.
            options: how; see `GenerationOptions`.

        Returns:
            A text that comes piece by piece, by `for` or `async for`; `text()` waits for all of it.

        Raises:
            InputTooLong: the prompt leaves no room in the model's context.
            InvalidInput: options that contradict each other or are out of range, an unknown role, messages without a
                chat template, a constraint that nothing fulfils.
            Overloaded: its keys and values do not fit into memory, or too many wait.
            Unsupported: the model writes no text.
            Unavailable: the engine was closed.
        """
        raise self._no_text()

    def generate_each(
        self, prompts: Sequence[str | Sequence[Message]], options: GenerationOptions = DEFAULT
    ) -> list[Generation]:
        """Write text after each of many prompts, side by side: what one reader waits for, the others get on with.

        Raises:
            InputTooLong, InvalidInput, Overloaded, Unsupported, Unavailable: as `generate`, for any of them; then none
                is begun. What is raised where a text is read concerns that text, and those that wait for the same step.
        """
        with ExitStack() as begun:
            generations = [begun.enter_context(self.generate(prompt, options)) for prompt in prompts]
            begun.pop_all()
        return generations

    def render(self, messages: Sequence[Message]) -> str:
        """The prompt that the chat template makes of messages, as one text for people to read.

        `generate` does not tokenize this text: there no content of a message can become a special token.

        Raises:
            InvalidInput: an unknown role, no chat template, or one that refuses these messages.
            Unsupported: the model writes no text.
        """
        raise self._no_text()

    def count_tokens(self, prompt: str | Sequence[Message]) -> int:
        """Tokens of a prompt as `generate` reads it, those of the template included.

        Raises:
            InvalidInput: as `generate`.
            Unsupported: the model writes no text.
        """
        raise self._no_text()

    def probe_options(self) -> GenerationOptions:
        """Options with which any prompt gets one token: to see that the model answers."""
        return GenerationOptions(max_tokens=1)

    def _no_text(self) -> Unsupported:
        return Unsupported(
            f"a model for {self.task} writes no text",
            hint="ask it with predict, or generate with a bundle for text-generation, translation or summarization",
            code="task_unsupported",
        )

    def replay(self, bundle: Bundle) -> Check:
        """Run the golden inputs of the bundle this engine was made from, and compare; see `golden.replay`."""
        return replay(bundle, self.variant, lambda texts: self.forward(self.tokenize(texts, truncate=True)))

    def close(self) -> None:
        """Finish what was submitted and take nothing more; `predict` still works."""
        self._online.close()

    def prepare(self, texts: Sequence[str | tuple[str, str]], wanted: Wanted) -> Prepared:
        """Tokenize texts and say how the outputs for them become predictions; raises as `predict` does.

        This is `predict` without the run, for a caller that runs the tokens elsewhere: the scheduler.
        """
        return prepare(self.manifest, self.tokenizer, texts, wanted)

    def forward(self, tokens: Sequence[Tokens]) -> list[Floats]:
        """Raw outputs for each text, in order: what golden data and benchmarks compare.

        Embeddings are pooled and not yet normalized. Under a head with an out-of-scope score the largest cosine with a
        class follows the logits.

        Shape: per text `[dimensions]`, `[labels]` or `[labels + 1]`; for tagging `[n, labels]`, for question answering
        `[n, 2]`, for fill-mask `[masks, vocabulary]`.
        """
        return self.encoder.forward(tokens)

    def tokenize(self, texts: Sequence[Any], *, truncate: bool = False) -> list[Tokens]:
        """Token ids of texts or pairs, special tokens included; raises as `predict` does."""
        return self.tokenizer.encode(validated(texts), truncate=truncate)[0]


def _head(bundle: Bundle) -> LinearHead | None:
    manifest = bundle.manifest
    if manifest.head is None:
        return None
    data = bundle.files[manifest.head.file]
    return LinearHead.decode(data, len(manifest.labels), manifest.head, normalized=manifest.normalized)
