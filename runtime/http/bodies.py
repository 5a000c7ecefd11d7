"""What clients send and get: one type per body. OpenAPI and validation both come from here."""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from ... import InvalidInput

Text = Annotated[str, msgspec.Meta(description="A text.", examples=["The film was a delight."])]
Pair = Annotated[
    list[str], msgspec.Meta(min_length=2, max_length=2, description="A text and its second text, for models of pairs.")
]
Inputs = Annotated[list[Text | Pair], msgspec.Meta(min_length=1, description="Texts, or pairs of texts.")]
Texts = Annotated[list[str], msgspec.Meta(min_length=1)]
ModelName = Annotated[str, msgspec.Meta(description="Name of a loaded model; GET /v1/models lists them.")]
Truncate = Annotated[
    bool, msgspec.Meta(description="Answer a text over the model's window from its beginning instead of refusing it.")
]
# A whole number by JSON Schema, to which 3.0 is one too; msgspec's `int` beside None refuses that.
Whole = Annotated[float, msgspec.Meta(ge=1, le=1_000_000, multiple_of=1)]
Labels = Annotated[
    list[Annotated[str, msgspec.Meta(min_length=1)]],
    msgspec.Meta(min_length=1, max_length=256, description="What a zero-shot model chooses from; all different."),
]
Counts = Annotated[dict[str, int], msgspec.Meta(description="How many values of each entity were redacted.")]


class _Request(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Fields nobody knows are refused: a typo must not pass silently."""


class _Answer(msgspec.Struct, kw_only=True, omit_defaults=True):
    pass


# Requests


class EmbeddingsRequest(_Request):
    """OpenAI's embeddings request. Token ids as input are refused: redaction needs the text."""

    model: ModelName
    input: Text | Texts
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Whole | None = None
    user: str | None = None
    truncate: Truncate = False


class ClassifyRequest(_Request):
    """One text, a list of texts, or a list of `[text, text_pair]` pairs; for zero-shot models labels to choose from."""

    model: ModelName
    input: Text | Inputs
    labels: Labels | None = None
    truncate: Truncate = False


class TagRequest(_Request):
    """One text, a list of texts, or a list of pairs, tagged in their first text; long ones are read in windows."""

    model: ModelName
    input: Text | Inputs


class RerankRequest(_Request):
    """Documents to be put in the order of how well they answer a query."""

    model: ModelName
    query: Text
    documents: Texts
    top_n: Whole | None = None
    return_documents: bool = False
    truncate: Truncate = False


class AnswerRequest(_Request):
    """A question and the text that holds its answer; a long one is read in overlapping windows."""

    model: ModelName
    question: Text
    context: Text


class RedactRequest(_Request):
    """Texts to redact by the policy of the service."""

    input: Text | Texts
    language: Literal["auto", "en", "zh"] = "auto"


class TranslateRequest(_Request):
    """Texts to translate."""

    model: ModelName
    input: Text | Texts
    source: str | None = None
    target: str | None = None


class Tensor(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A tensor of the Open Inference Protocol. Inputs are `BYTES` of shape `[n]` or `[n, 1]`."""

    name: str
    shape: list[Annotated[float, msgspec.Meta(ge=0, le=1_000_000, multiple_of=1)]]
    datatype: str
    parameters: dict[str, str | int | float | bool] = {}
    data: list[Any] | None = None


class WantedOutput(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An output that the client asks for."""

    name: str
    parameters: dict[str, str | int | float | bool] = {}


class InferRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An inference request of the Open Inference Protocol, version 2."""

    inputs: Annotated[list[Tensor], msgspec.Meta(min_length=1)]
    id: str | None = None
    parameters: dict[str, str | int | float | bool] = {}
    outputs: list[WantedOutput] | None = None


class RepositoryRequest(msgspec.Struct, kw_only=True):
    """Options of the model repository extension; none has a meaning here."""

    parameters: dict[str, Any] = {}
    ready: bool = False


# Answers


class Usage(msgspec.Struct):
    """Tokens that the model read."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingItem(_Answer):
    """One embedding: numbers, or base64 of little-endian 32-bit floats."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str
    truncated: bool = False


class Embeddings(_Answer):
    """OpenAI's embeddings answer."""

    object: Literal["list"]
    model: str
    data: list[EmbeddingItem]
    usage: Usage
    redacted: Counts


class ClassifyItem(_Answer):
    """A text's class."""

    index: int
    label: str
    score: float
    scores: dict[str, float]
    labels: list[str] | None = None
    out_of_scope: float | None = None
    truncated: bool = False


class Classes(_Answer):
    """Answer of /v1/classify."""

    model: str
    data: list[ClassifyItem]
    usage: Usage
    redacted: Counts


class EntitySpan(_Answer):
    """An entity; offsets are code points of the text as it was sent."""

    start: int
    end: int
    text: str
    label: str
    score: float


class TagItem(_Answer):
    """A text's entities."""

    index: int
    entities: list[EntitySpan]
    truncated: bool = False


class Tags(_Answer):
    """Answer of /v1/tag."""

    model: str
    data: list[TagItem]
    usage: Usage
    redacted: Counts


class RankedItem(_Answer):
    """A document by its place in the request, with its score; best first."""

    index: int
    score: float
    document: str | None = None


class Ranking(_Answer):
    """Answer of /v1/rerank."""

    model: str
    data: list[RankedItem]
    usage: Usage
    redacted: Counts


class AnswerItem(_Answer):
    """The span that answers; offsets are code points of the context as it was sent."""

    index: int
    answer: str
    start: int
    end: int
    score: float
    truncated: bool = False


class Answers(_Answer):
    """Answer of /v1/answer."""

    model: str
    data: list[AnswerItem]
    usage: Usage
    redacted: Counts


class RedactedSpan(_Answer):
    """What was replaced; offsets are code points of the text as it was sent."""

    start: int
    end: int
    entity: str
    score: float
    replacement: str


class RedactedItem(_Answer):
    """A redacted text."""

    index: int
    text: str
    spans: list[RedactedSpan]


class Redacted(_Answer):
    """Answer of /v1/redact."""

    data: list[RedactedItem]
    redacted: Counts


class ModelCard(_Answer):
    """A loaded model; OpenAI's fields and what Cloister knows of it."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    task: str
    labels: list[str]
    window: int
    digest: str
    variant: str
    provider: str
    version: int


class ModelList(_Answer):
    """Answer of /v1/models."""

    object: Literal["list"]
    data: list[ModelCard]


class ErrorFields(msgspec.Struct):
    """What went wrong, and what to do about it."""

    code: str
    message: str
    hint: str


class ErrorAnswer(msgspec.Struct):
    """Body of every error."""

    error: ErrorFields


class Health(msgspec.Struct):
    """Whether the service lives, or is ready."""

    status: Literal["live", "ready"]


class ServerMetadata(_Answer):
    """The Open Inference Protocol's server metadata."""

    name: str
    version: str
    extensions: list[str]


class TensorMetadata(_Answer):
    """Name, type and shape of a tensor; -1 is any size."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(_Answer):
    """The Open Inference Protocol's model metadata."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class Ready(msgspec.Struct):
    """Whether something is ready."""

    ready: bool


class Live(msgspec.Struct):
    """Whether the server is live."""

    live: bool


class OutputTensor(_Answer):
    """A tensor of an answer."""

    name: str
    shape: list[int]
    datatype: str
    parameters: dict[str, Any] | None = None
    data: list[Any] | None = None


class Inferred(_Answer):
    """Answer of the Open Inference Protocol's infer."""

    model_name: str
    model_version: str
    outputs: list[OutputTensor]
    id: str | None = None
    parameters: dict[str, Any] | None = None


class RepositoryModel(_Answer):
    """A model that is loaded, or that could be."""

    name: str
    state: Literal["READY", "UNAVAILABLE"]
    version: str = ""
    reason: str = ""


class Done(msgspec.Struct):
    """An empty object: it is done."""


# msgspec's messages that hold nothing of the client's: types, lengths and places in the body.
_SAFE = re.compile(r"Expected [^']*|Object missing required field `\w+`(?: - at `[^'`]*`)?")


_TOKEN_IDS = re.compile(r"got `(int|array)` - at `\$\.input\[")

B = TypeVar("B", bound=msgspec.Struct)


def decode(data: bytes, kind: type[B]) -> B:
    """A body as its type.

    Raises:
        InvalidInput: not JSON, not UTF-8, a wrong type, a missing or unknown field. Its message holds nothing of the
            body.
    """
    hint = "see /docs for the fields of this route"
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        # Some messages repeat what was sent; none of it may travel on, so those become general ones.
        found = str(error)
        if kind is EmbeddingsRequest and _TOKEN_IDS.search(found):
            raise InvalidInput(
                "token ids cannot be redacted", hint="send texts: the model's own tokenizer runs here", code="token_ids"
            ) from None
        if _SAFE.fullmatch(found):
            raise InvalidInput(f"the body is not as expected: {found}", hint=hint) from None
        if "unknown field" in found:
            known = ", ".join(field.name for field in msgspec.structs.fields(kind))
            raise InvalidInput("the body has an unknown field", hint=f"known are: {known}") from None
        raise InvalidInput("the body has a value that is not allowed", hint=hint) from None
    except UnicodeDecodeError:
        raise InvalidInput("the body is not UTF-8", hint="send JSON encoded as UTF-8") from None
    except (msgspec.DecodeError, RecursionError):
        raise InvalidInput("the body is not valid JSON", hint=hint) from None


_encoder = msgspec.json.Encoder()


def encode(body: msgspec.Struct) -> bytes:
    """The JSON of an answer."""
    return _encoder.encode(body)


def encode_list(items: Sequence[msgspec.Struct]) -> bytes:
    """The JSON of a list of objects."""
    return _encoder.encode(items)


def encode_any(value: Any) -> bytes:
    """The JSON of plain Python values."""
    return _encoder.encode(value)
