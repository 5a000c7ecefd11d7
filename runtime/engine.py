"""`load(bundle) -> Engine`, `Engine.predict(texts)`: tokens, groups, session, heads."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import BundleError, InvalidInput, ProviderError, Unsupported
from .bundle import Bundle, read
from .encoder import Encoder
from .golden import Check, replay
from .linear import LinearHead
from .manifest import Manifest, Variant, is_per_token
from .online import LazyOnline, Pending
from .packing import Tokens
from .processor import available_threads, features
from .results import Prediction
from .session import Diagnostics, Session, available_providers
from .tasks import Prepared, prepare
from .tokens import TextTokenizer, validated

if TYPE_CHECKING:
    from ..privacy.unseal import Unseal

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Options:
    """How an engine runs.

    Attributes:
        provider: `cpu`, `cuda`, or `auto` (the first that is available and for which the bundle has a variant).
        variant: name of a variant; None takes the first that suits the provider.
        threads: threads for one run; None takes what affinity and container quota allow.
        diagnostics: files that onnxruntime writes about its work; refused for sealed bundles.
    """

    provider: str = "auto"
    variant: str | None = None
    threads: int | None = None
    diagnostics: Diagnostics | None = None


class Engine:
    """A loaded bundle. Safe to call from several threads; made by `load`."""

    def __init__(
        self, bundle: Bundle, variant: Variant, provider: str, threads: int, diagnostics: Diagnostics | None = None
    ) -> None:
        manifest = bundle.manifest
        self.manifest: Manifest = manifest
        self.digest: str = bundle.digest
        self.variant: Variant = variant
        self.provider: str = provider
        self.threads: int = threads
        self.tokenizer = TextTokenizer(bundle.files[manifest.tokenizer.file], manifest.tokenizer)
        weights = {variant.weights: bundle.files[variant.weights]}
        session = Session(
            bundle.files[variant.graph], weights, provider=provider, threads=threads, diagnostics=diagnostics
        )
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
        )
        self._online = LazyOnline()

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

    def predict(self, texts: Sequence[str | tuple[str, str]], *, truncate: bool = False) -> list[Prediction]:
        """Answer texts, in order.

        Args:
            texts: texts, or pairs `(text, text_pair)`; for question answering `(question, context)`.
            truncate: answer a text over the model's window from its beginning, and mark the result, instead of
                refusing. Tagging never truncates: it reads a long text in overlapping windows; question answering
                does so with the context.

        Returns:
            One result per text: `Classification`, `Tagging`, `Embedding` or `Answer`, by the bundle's task. The same
            text gives the same bits whatever else is in the list, on one machine with the same options.

        Raises:
            InputTooLong: a text is over the window and `truncate` is off.
            InvalidInput: not a list of texts or pairs, or a text that is not valid Unicode.
        """
        prepared = self.prepare(texts, truncate=truncate)
        return prepared.finish(self.forward(prepared.tokens))

    def submit(
        self, texts: Sequence[str | tuple[str, str]], *, truncate: bool = False, timeout: float = math.inf
    ) -> Pending:
        """Queue texts to run together with those of other callers; wait with `.result()` or `await`.

        Args:
            texts, truncate: as for `predict`.
            timeout: seconds until nobody waits for the answer any more.

        Raises:
            InputTooLong, InvalidInput: as `predict`.
            Overloaded: too much waits already.
            Unavailable: the engine was closed.
        """
        return self._online.get(self).submit(texts, truncate=truncate, timeout=timeout)

    async def apredict(
        self, text: str | tuple[str, str], *, truncate: bool = False, timeout: float = math.inf
    ) -> Prediction:
        """Answer one text from a coroutine; it joins the batches of everyone else who asks this engine.

        Raises:
            DeadlineExceeded: `timeout` seconds passed.
            ModelFailed, WorkerDied, Overloaded, Unavailable: see `submit` and its `result`.
            InputTooLong, InvalidInput: as `predict`.
        """
        return (await self.submit([text], truncate=truncate, timeout=timeout))[0]

    def close(self) -> None:
        """Finish what was submitted and take nothing more; `predict` still works."""
        self._online.close()

    def prepare(self, texts: Sequence[str | tuple[str, str]], *, truncate: bool = False) -> Prepared:
        """Tokenize texts and say how the outputs for them become predictions; raises as `predict` does.

        This is `predict` without the run, for a caller that runs the tokens elsewhere: the scheduler.
        """
        return prepare(self.manifest, self.tokenizer, texts, truncate=truncate)

    def forward(self, tokens: Sequence[Tokens]) -> list[Floats]:
        """Raw outputs for each text, in order: what golden data and benchmarks compare.

        Embeddings are pooled and not yet normalized. Under a head with an out-of-scope score the largest cosine with a
        class follows the logits.

        Shape: per text `[dimensions]`, `[labels]` or `[labels + 1]`; for tagging `[n, labels]`, for question answering
        `[n, 2]`.
        """
        return self.encoder.forward(tokens)

    def tokenize(self, texts: Sequence[Any], *, truncate: bool = False) -> list[Tokens]:
        """Token ids of texts or pairs, special tokens included; raises as `predict` does."""
        return self.tokenizer.encode(validated(texts), truncate=truncate)[0]


def load(
    path: str | os.PathLike[str],
    *,
    options: Options | None = None,
    expected_digest: str | None = None,
    check: bool = False,
    unseal: "Unseal | None" = None,
) -> Engine:
    """Load a bundle; every file is verified before it is used.

    Args:
        path: the bundle's folder, or a sealed bundle's.
        options: provider, variant and threads.
        expected_digest: SHA-256 of the manifest that the bundle must have (`cloister inspect` shows it).
        check: also replay the golden inputs on this machine.
        unseal: keys for a sealed bundle, which is opened in memory; with them no other bundle is loaded.

    Raises:
        BundleError: damaged, incomplete, of an unknown format, or not the expected bundle.
        SealError, SignatureInvalid, KeyFileError: a sealed bundle that does not verify, or keys that do not fit.
        Unsupported: a sealed bundle with options that would write parts of it to a disk.
        MissingExtra: onnxruntime is not installed.
        ProviderError: no variant for the provider, or the provider is not available.
        DriftError: `check` is on and the golden outputs do not hold here.
    """
    chosen = options or Options()
    bundle = _read(path, chosen, expected_digest, unseal)
    engine = _engine(bundle, chosen)
    if check:
        _replay(bundle, engine).require()
    return engine


def check_golden(
    path: str | os.PathLike[str], options: Options, unseal: "Unseal | None" = None
) -> tuple[Check, Engine]:
    """Load a bundle and replay its golden inputs, for the figures; raises as `load` does, but not for drift."""
    bundle = _read(path, options, None, unseal)
    engine = _engine(bundle, options)
    return _replay(bundle, engine), engine


def _head(bundle: Bundle) -> LinearHead | None:
    manifest = bundle.manifest
    if manifest.head is None:
        return None
    data = bundle.files[manifest.head.file]
    return LinearHead.decode(data, len(manifest.labels), manifest.head, normalized=manifest.normalized)


def _read(
    path: str | os.PathLike[str], options: Options, expected_digest: str | None, unseal: "Unseal | None"
) -> Bundle:
    if unseal is not None and options.diagnostics is not None and options.diagnostics.writes:
        raise Unsupported(
            "profiles and optimized models of a sealed bundle would be written to a disk in the clear",
            hint="leave them out, or measure with the bundle before it is sealed",
            code="seal_would_leak",
        )
    return read(path, expected_digest=expected_digest, unseal=unseal)


def _engine(bundle: Bundle, options: Options) -> Engine:
    if options.threads is not None and options.threads < 1:
        raise InvalidInput("threads must be at least 1", hint="leave it out to take what this process may use")
    variant, provider = _select(bundle.manifest.encoder.variants, options)
    return Engine(bundle, variant, provider, options.threads or available_threads(), options.diagnostics)


def _replay(bundle: Bundle, engine: Engine) -> Check:
    return replay(bundle, engine.variant, lambda texts: engine.forward(engine.tokenize(texts, truncate=True)))


def _select(variants: Sequence[Variant], options: Options) -> tuple[Variant, str]:
    wanted = [v for v in variants if options.variant in (None, v.name)]
    if not wanted:
        names = ", ".join(v.name for v in variants)
        raise ProviderError("the bundle has no variant of that name", hint=f"it has: {names}")
    present = features()
    wanted = [v for v in wanted if present.issuperset(v.cpu_features)]
    if not wanted:
        raise ProviderError(
            "this processor lacks features that the bundle's variants need",
            hint="export the model with --precision fp32",
        )
    providers = ["cuda", "cpu"] if options.provider == "auto" else [options.provider]
    usable = [p for p in providers if options.provider != "auto" or p in available_providers()]
    for provider in usable:
        for variant in wanted:
            if provider in variant.providers:
                return variant, provider
    made_for = sorted({p for v in wanted for p in v.providers})
    raise ProviderError(
        f"the bundle has no variant for {options.provider}", hint=f"it was made for: {', '.join(made_for)}"
    )
