"""The manifest of a bundle: every field, its type and what is allowed in it. FORMAT.md says the same in prose."""

from typing import Annotated, Literal

import msgspec

from .defaults import Sampling as Sampling
from .measured import Accuracy, Count, Digest, GenerationParity, Parity, Positive, Probability, Strict
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


class File(Strict, frozen=True):
    """One file of the bundle."""

    name: str
    bytes: Count
    sha256: Digest


class TokenizerSettings(Strict, frozen=True):
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


class ZeroShot(Strict, frozen=True):
    """How a model of textual entailment becomes a classifier of labels that come with the request.

    Attributes:
        template: the hypothesis, with `{}` where the label goes.
        entailment, contradiction: places of these labels among the model's labels.
    """

    template: str
    entailment: Count
    contradiction: Count | None = None


class Variant(Strict, frozen=True):
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
    shared: list[str] = msgspec.field(default_factory=list)
    saturation_safe: bool | None = None
    measured_on: Literal["provider", "cpu twin"] = "provider"
    accuracy: Accuracy | None = None
    generation: GenerationParity | None = None

    @property
    def external(self) -> list[str]:
        """Names of all files beside the graph with the variant's tensors."""
        return [name for name in (self.weights, *self.shared) if name != self.graph]


class Component(Strict, frozen=True):
    """A part of the model that runs as one graph: `encoder`, or the `generator` of a model that writes text."""

    kind: str
    variants: Annotated[list[Variant], msgspec.Meta(min_length=1)]


class OutOfScope(Strict, frozen=True):
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


class Head(Strict, frozen=True):
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


class Source(Strict, frozen=True):
    """Where the bundle came from. Versions are those of the exporting environment; `provenance` is what the exporter
    said about data, code and seeds.
    """

    name: str
    architecture: str
    model_type: str
    weights_sha256: Digest
    versions: dict[str, str]
    calibration: Literal["built-in", "user", "none"]
    provenance: dict[str, str] = msgspec.field(default_factory=dict)


class GeneratorSettings(Strict, frozen=True):
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
    template_tokens: dict[str, str] = msgspec.field(default_factory=dict)


class Manifest(Strict, frozen=True):
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
    reports: list[str] = msgspec.field(default_factory=list)
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


def is_per_token(task: Task, pooling: Pooling | None) -> bool:
    """Whether a task's graph has an output row per token rather than per text."""
    return pooling is not None or task in ("token-classification", "feature-extraction", "question-answering")
