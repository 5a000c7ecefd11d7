"""The manifest of a bundle: every field, its type and what is allowed in it. FORMAT.md says the same in prose."""

import re
from typing import Annotated, Literal

import msgspec

from .. import BundleError
from .defaults import Sampling as Sampling
from .translation import EncoderDecoderSettings

FORMAT_VERSION = 1
MANIFEST = "manifest.json"

Task = Literal[
    "text-classification",
    "token-classification",
    "feature-extraction",
    "question-answering",
    "fill-mask",
    "zero-shot-classification",
    "sentence-similarity",
    "text-ranking",
    "text-generation",
    "translation",
    "summarization",
    "text2text-generation",
]
Problem = Literal["single_label", "multi_label", "regression"]
Precision = Literal["int8", "int4", "fp16", "fp32"]
Pooling = Literal["mean", "cls", "max", "last"]
Activation = Literal["none", "sigmoid"]
Probability = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[int, msgspec.Meta(ge=1)]
Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]

# A name that means the same file on every system: no separator, no drive, no leading dot, nothing Windows reserves.
_PLAIN_NAME = re.compile(r"(?!(?i:con|prn|aux|nul|com\d|lpt\d)(\.|$))[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*\Z")


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Fields nobody knows are refused: a typo or a newer format must not pass silently."""


class File(_Strict, frozen=True):
    """One file of the bundle."""

    name: str
    bytes: Count
    sha256: Digest


class TokenizerSettings(_Strict, frozen=True):
    """How texts become token ids.

    Attributes:
        file: a `tokenizer.json` of the tokenizers library, without truncation and padding.
        window: most tokens the model takes at once, special tokens included.
        padding_id: token id of cells past a text's end (padded path).
        token_types: whether the graph reads `token_type_ids`.
        first_position: position id of a text's first token (packed path).
        mask_id: token id of the mask that is to be filled, None unless the task is fill-mask.
    """

    file: str
    window: Positive
    padding_id: Count
    token_types: bool
    first_position: Count
    mask_id: Count | None = None


class ZeroShot(_Strict, frozen=True):
    """How a model of textual entailment becomes a classifier of labels that come with the request.

    Attributes:
        template: the hypothesis, with `{}` where the label goes.
        entailment, contradiction: places of these labels among the model's labels.
    """

    template: str
    entailment: Count
    contradiction: Count | None = None


class Parity(_Strict, frozen=True):
    """A variant against the source model on probe texts, both on the exporting machine.

    Attributes:
        samples: probe texts compared.
        cosine_min, cosine_mean: cosine of a text's output (its embedding, or all its logits as one vector).
        max_abs_error: largest absolute difference of any output value.
        label_agreement: share of equal labels, None for tasks without labels.
        mean_probability_shift: mean absolute change of the largest probability, None for tasks without labels.
    """

    samples: Positive
    cosine_min: float
    cosine_mean: float
    max_abs_error: float
    label_agreement: float | None = None
    mean_probability_shift: float | None = None


class Accuracy(_Strict, frozen=True):
    """A variant against the source model on labelled data of the user, as measured by the export.

    Attributes:
        metric: name of the metric; scores are between 0 and 1 (a rank correlation: -1 and 1), more is better.
        examples: how many examples were measured.
        source, score: the source model's and the variant's.
        drop: `source - score`.
        drop_interval: 95% interval of the drop, by paired bootstrap over the examples.
        flips: share of examples whose answer differs from the source model's; None where answers are not labels.
        flips_interval: 95% interval of the flips.
        max_drop, max_flips: the budget that was kept, None where none was set.
        float_layers: linear layers left in float to keep the budget.
        resolved: whether the data could show a loss as small as the budget.
    """

    metric: str
    examples: Positive
    source: float
    score: float
    drop: float
    drop_interval: tuple[float, float]
    flips: float | None
    flips_interval: tuple[float, float] | None
    max_drop: float | None
    max_flips: float | None
    float_layers: list[str]
    resolved: bool


class GenerationLimits(_Strict, frozen=True):
    """How much a generator's variant may differ from its source before it is not exported.

    Attributes:
        kl_mean: most nats of mean divergence.
        top1_agreement: least share of places with the same most probable token.
        perplexity_change: most growth of the perplexity, as a share of the source's.
    """

    kl_mean: float
    top1_agreement: Probability
    perplexity_change: float


class GenerationParity(_Strict, frozen=True):
    """What a generator's variant writes against the source model in float32, token by token over probe texts.

    Attributes:
        kl_mean, kl_max: Kullback-Leibler divergence of the next token's distribution from the source's, in nats.
        top1_agreement: share of positions where the most probable token is the same.
        perplexity, source_perplexity: of the variant and the source on the probe texts.
        greedy_steps: how many greedy steps after short prompts were compared, and
        greedy_equal: how many of them, from the beginning of each, were the source's.
        limits: within which it was let through; None in bundles made before the field.
    """

    kl_mean: float
    kl_max: float
    top1_agreement: Probability
    perplexity: float
    source_perplexity: float
    greedy_steps: Count
    greedy_equal: Count
    limits: GenerationLimits | None = None


class Variant(_Strict, frozen=True):
    """One graph of a component.

    Attributes:
        path: `packed` (no padding, fused attention), `padded`, or `cached` (token by token, keys and values kept).
        path_reason: why this path, one sentence.
        graph, weights: file names; weights are ONNX external data, read from memory. The same name twice says that the
            weights are inside the graph's file.
        shared: further external data files, whose tensors other variants have too.
        providers: execution providers the variant was made for.
        cpu_features: processor features without which it must not run, in Linux's names.
        saturation_safe: whether no pair of integer products can exceed 16 bits, so that processors without VNNI
            compute the same sums; None where nothing is said (bundles made before the field).
        quantized_nodes, float_nodes: linear layers in integers, and linear layers inside the stack left in float.
        tolerance: largest absolute difference of a golden output on another machine.
        measured_on: where parity and golden outputs were computed: on the provider itself, or on its CPU twin, the
            same rounded weights under operators that the processor has.
        accuracy: figures on the user's labelled data, None where none was given.
        generation: further figures of a generator, None for other models.
    """

    name: str
    precision: Precision
    path: Literal["packed", "padded", "cached"]
    path_reason: str
    graph: str
    weights: str
    providers: list[str]
    cpu_features: list[str]
    quantized_nodes: Count
    float_nodes: Count
    parity: Parity
    tolerance: Annotated[float, msgspec.Meta(gt=0)]
    shared: list[str] = []
    saturation_safe: bool | None = None
    measured_on: Literal["provider", "cpu twin"] = "provider"
    accuracy: Accuracy | None = None
    generation: GenerationParity | None = None

    @property
    def external(self) -> list[str]:
        """Names of all files beside the graph with the variant's tensors."""
        return [name for name in (self.weights, *self.shared) if name != self.graph]


class Component(_Strict, frozen=True):
    """A part of the model that runs as one graph: `encoder`, or the `generator` of a model that writes text."""

    kind: str
    variants: Annotated[list[Variant], msgspec.Meta(min_length=1)]


class OutOfScope(_Strict, frozen=True):
    """How a head's output becomes an out-of-scope score, from held-out examples. FORMAT.md has the formula.

    Attributes:
        energy: spread of the logits' log-sum-exp.
        cosine: spread of the cosine with the nearest class.
        threshold: familiarity that one in twenty held-out examples stays below; its score is 0.5.
        spread: familiarity that takes the score from 0.5 to 0.27.
    """

    energy: Annotated[float, msgspec.Meta(gt=0)]
    cosine: Annotated[float, msgspec.Meta(gt=0)]
    threshold: float
    spread: Annotated[float, msgspec.Meta(gt=0)]


class Head(_Strict, frozen=True):
    """A linear head in float over the pooled vector.

    Attributes:
        file: name of the file with its weights.
        inputs: dimensions of the vector.
        examples: examples it was fitted on, none of which is kept; None where it came with the source model.
        regularization: inverse strength, as scikit-learn's C; None where nothing was fitted.
        accuracy: share of right labels (multi-label: micro F1) in cross-validation; None where there was none.
        out_of_scope: None where the bundle gives no such score.
    """

    file: str
    inputs: Positive
    examples: Count | None = None
    regularization: float | None = None
    accuracy: float | None = None
    out_of_scope: OutOfScope | None = None


class Source(_Strict, frozen=True):
    """Where the bundle came from. Versions are those of the exporting environment; `provenance` is what the exporter
    said about data, code and seeds.
    """

    name: str
    architecture: str
    model_type: str
    weights_sha256: Digest
    versions: dict[str, str]
    calibration: Literal["built-in", "user", "none"]
    provenance: dict[str, str] = {}


class GeneratorSettings(_Strict, frozen=True):
    """How a decoder is run. Its context is the tokenizer's window.

    Attributes:
        model_type, hidden_size, layers, heads, key_value_heads, head_size, vocabulary: what onnxruntime-genai has to
            know of the graph.
        sliding_window: tokens that attention looks back, None for all.
        end_ids: token ids that end a text.
        start_id: token id that begins every prompt, None where there is none.
        padding_id: token id of unused cells.
        sampling: defaults of options that a request leaves out.
        chat_template: name of the file with the chat template, None where the model has none.
        template_tokens: texts of special tokens by the names that the template knows them by.
    """

    model_type: str
    hidden_size: Positive
    layers: Positive
    heads: Positive
    key_value_heads: Positive
    head_size: Positive
    vocabulary: Positive
    end_ids: Annotated[list[Count], msgspec.Meta(min_length=1)]
    padding_id: Count
    start_id: Count | None = None
    sliding_window: Positive | None = None
    sampling: Sampling = Sampling()
    chat_template: str | None = None
    template_tokens: dict[str, str] = {}


class Manifest(_Strict, frozen=True):
    """Everything about a bundle that is not a weight. See FORMAT.md.

    Attributes:
        reports: files for the reader, which no answer depends on: tables and charts of measured accuracy.
        thresholds: for multi-label models the least probability of each label, in the order of the labels; None is 0.5.
        activation: what a score of pairs goes through.
        zero_shot: for zero-shot classification, None otherwise.
        generator: for text-generation, None otherwise.
        encoder_decoder: for translation, summarization and text2text-generation, None otherwise.
    """

    format_version: Positive
    task: Task
    labels: list[str]
    problem: Problem | None
    pooling: Pooling | None
    normalized: bool
    tokenizer: TokenizerSettings
    components: Annotated[list[Component], msgspec.Meta(min_length=1)]
    golden: str
    source: Source
    files: Annotated[list[File], msgspec.Meta(min_length=1)]
    reports: list[str] = []
    head: Head | None = None
    thresholds: list[Probability] | None = None
    activation: Activation = "none"
    zero_shot: ZeroShot | None = None
    reference: str | None = None
    generator: GeneratorSettings | None = None
    encoder_decoder: EncoderDecoderSettings | None = None

    @property
    def encoder(self) -> Component:
        """The first component: the one whose variants are chosen from."""
        return self.components[0]


class _Version(msgspec.Struct):
    format_version: int


def encode(manifest: Manifest) -> bytes:
    """The bytes that are written, and whose SHA-256 is the bundle's digest: JSON, two spaces, fields in order."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def decode(data: bytes) -> Manifest:
    """Parse and validate a manifest.

    Raises:
        BundleError: not a manifest, a newer format, a wrong type, or parts that contradict each other.
    """
    try:
        version = msgspec.json.decode(data, type=_Version).format_version
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError("the manifest is not a bundle manifest", hint="export the model again") from error
    if version != FORMAT_VERSION:
        raise BundleError(
            f"the bundle has format version {version}, this Cloister reads version {FORMAT_VERSION}",
            hint="it needs a newer Cloister: pip install --upgrade cloister",
            code="bundle_format_unknown",
        )
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        # msgspec's message names the field and the expected type, never a value.
        raise BundleError(f"the manifest is invalid: {error}", hint="export the model again") from error
    _validate(manifest)
    return manifest


_KINDS = (["encoder"], ["generator"], ["encoder", "decoder"])
_WRITE_FROM_SOURCES = ("translation", "summarization", "text2text-generation")


def _validate(manifest: Manifest) -> None:
    if [c.kind for c in manifest.components] not in _KINDS:
        raise BundleError(
            "the bundle has components that this Cloister does not know",
            hint="it needs a newer Cloister: pip install --upgrade cloister",
            code="bundle_format_unknown",
        )
    names = [f.name for f in manifest.files]
    variants = manifest.encoder.variants
    for name in names:
        if not is_plain(name) or name.lower() == MANIFEST:
            raise _contradiction("a file name in the manifest is not a plain name")
    if len({n.lower() for n in names}) != len(names):
        raise _contradiction("a file name occurs twice in the manifest")
    graphs = [v for component in manifest.components for v in component.variants]
    used = {manifest.tokenizer.file, manifest.golden, *(v.graph for v in graphs)}
    used |= {name for v in graphs for name in v.external} | set(manifest.reports)
    used |= set() if manifest.encoder_decoder is None else manifest.encoder_decoder.files
    used |= {manifest.head.file} if manifest.head else set()
    if manifest.reference is not None:
        used.add(manifest.reference)
    if manifest.generator is not None and manifest.generator.chat_template is not None:
        used.add(manifest.generator.chat_template)
    if used != set(names):
        raise _contradiction("the manifest's files and the files its parts use are not the same")
    if len({v.name for v in variants}) != len(variants):
        raise _contradiction("two variants have the same name")
    if any(not v.providers for v in variants):
        raise _contradiction("a variant names no provider")
    if len(set(manifest.labels)) != len(manifest.labels):
        raise _contradiction("a label occurs twice")
    _validate_task(manifest)
    _validate_generator(manifest)
    _validate_encoder_decoder(manifest)


def _validate_encoder_decoder(manifest: Manifest) -> None:
    settings = manifest.encoder_decoder
    writes = [c.kind for c in manifest.components] == ["encoder", "decoder"]
    if writes != (manifest.task in _WRITE_FROM_SOURCES) or writes != (settings is not None):
        raise _contradiction("the task and the components do not fit together")
    if settings is None:
        return
    encoder, decoder = ({v.name: v for v in component.variants} for component in manifest.components)
    if set(encoder) != set(decoder) or any(v.path != "cached" for v in decoder.values()):
        raise _contradiction("the variants of encoder and decoder do not fit together")
    if max(settings.end_ids + settings.suppressed + [settings.start_id]) >= settings.vocabulary:
        raise _contradiction("the settings of the decoder do not fit together")


def _validate_generator(manifest: Manifest) -> None:
    settings = manifest.generator
    generates = manifest.encoder.kind == "generator"
    if generates != (manifest.task == "text-generation") or generates != (settings is not None):
        raise _contradiction("the task and the components do not fit together")
    if any((v.path == "cached") != generates for v in manifest.encoder.variants):
        raise _contradiction("a variant's path and the component's kind do not fit together")
    if settings is None:
        return
    ids = [*settings.end_ids, settings.padding_id, *([] if settings.start_id is None else [settings.start_id])]
    if max(ids) >= settings.vocabulary or settings.heads % settings.key_value_heads:
        raise _contradiction("the settings of the generator do not fit together")


_LABELLED = ("text-classification", "token-classification", "zero-shot-classification")
_WITH_PROBLEM = ("text-classification", "zero-shot-classification")


def _validate_task(manifest: Manifest) -> None:
    task = manifest.task
    if (task in _LABELLED) != bool(manifest.labels):
        raise _contradiction("the task and the labels do not fit together")
    if (task in _WITH_PROBLEM) != (manifest.problem is not None):
        raise _contradiction("the task and the kind of problem do not fit together")
    if manifest.head is not None and manifest.task != "text-classification":
        raise _contradiction("the task and the head do not fit together")
    if manifest.head is not None and manifest.head.out_of_scope is not None and manifest.problem != "single_label":
        raise _contradiction("the kind of problem and the out-of-scope score do not fit together")
    pools = manifest.pooling is not None
    if task != "sentence-similarity" and pools != (task == "feature-extraction" or manifest.head is not None):
        raise _contradiction("the task and the pooling do not fit together")
    if (task == "fill-mask") != (manifest.tokenizer.mask_id is not None):
        raise _contradiction("the task and the mask token do not fit together")
    if manifest.thresholds is not None and (
        manifest.problem != "multi_label" or len(manifest.thresholds) != len(manifest.labels)
    ):
        raise _contradiction("the thresholds and the labels do not fit together")
    if manifest.activation != "none" and (pools or task not in ("sentence-similarity", "text-ranking")):
        raise _contradiction("the task and the activation do not fit together")
    settings = manifest.zero_shot
    if (task == "zero-shot-classification") != (settings is not None):
        raise _contradiction("the task and the hypothesis do not fit together")
    if settings is not None:
        places = {settings.entailment, settings.contradiction} - {None}
        fits = all(place < len(manifest.labels) for place in places if place is not None)
        if settings.template.count("{}") != 1 or not fits or manifest.problem == "regression":
            raise _contradiction("the hypothesis does not fit the labels")
        if settings.contradiction is None and manifest.problem == "multi_label":
            raise _contradiction("the hypothesis does not fit the labels")


def is_per_token(task: Task, pooling: Pooling | None) -> bool:
    """Whether a task's graph has an output row per token rather than per text."""
    return pooling is not None or task in ("token-classification", "feature-extraction", "question-answering")


def is_plain(name: str) -> bool:
    """Whether a file name is free of separators and of what some system treats specially."""
    return len(name) <= 128 and _PLAIN_NAME.match(name) is not None


def _contradiction(what: str) -> BundleError:
    return BundleError(what, hint="the bundle was not written by Cloister or was changed since: export the model again")
