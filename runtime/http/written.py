"""What clients of models that write text send and get, in OpenAI's shape; extensions by the names that vLLM uses."""

from typing import Annotated, Any, Literal

import msgspec

from .bodies import Counts, ModelName, Text, Texts, Whole, _Answer, _Request

Penalty = Annotated[float, msgspec.Meta(ge=-2, le=2)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Choices = Annotated[float, msgspec.Meta(ge=1, le=128, multiple_of=1)]
Top = Annotated[float, msgspec.Meta(ge=0, le=20, multiple_of=1)]
Seed = Annotated[float, msgspec.Meta(ge=-(2**53), le=2**53, multiple_of=1)]
TopK = Annotated[float, msgspec.Meta(ge=-1, le=1_000_000, multiple_of=1)]
Stop = str | Annotated[list[str], msgspec.Meta(max_length=16)]


class TextPart(_Request):
    """A part of a message; only text can be read."""

    type: Literal["text"]
    text: str


class ChatMessage(_Request):
    """One message of a chat."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Text | list[TextPart]


class JsonSchema(_Request):
    """A schema that the answer is a document of."""

    name: str
    schema: dict[str, Any]
    description: str | None = None
    strict: bool | None = None


class ResponseFormat(_Request):
    """What the answer must look like."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class StreamOptions(_Request):
    """Options of an answer by server-sent events."""

    include_usage: bool = False


class _Generates(_Request, kw_only=True):
    """What the routes share. Fields that change nothing here are taken where clients send them of themselves."""

    model: ModelName
    max_tokens: Whole | None = None
    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] | None = None
    top_p: Share | None = None
    n: Choices | None = None
    seed: Seed | None = None
    stop: Stop | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    user: str | None = None
    top_k: TopK | None = None
    min_p: Share | None = None
    repetition_penalty: Annotated[float, msgspec.Meta(gt=0, le=10)] | None = None
    response_format: ResponseFormat | None = None
    guided_json: dict[str, Any] | None = None
    guided_regex: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    guided_choice: Annotated[list[str], msgspec.Meta(min_length=1, max_length=1024)] | None = None
    cache_salt: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)] | None = None


class ChatRequest(_Generates, kw_only=True):
    """OpenAI's chat completion request. Tools, images and audio are refused."""

    messages: Annotated[list[ChatMessage], msgspec.Meta(min_length=1)]
    max_completion_tokens: Whole | None = None
    logprobs: bool | None = None
    top_logprobs: Top | None = None
    store: Literal[False] | None = None
    metadata: dict[str, str] | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None


class CompletionRequest(_Generates, kw_only=True):
    """OpenAI's completion request. Token ids as a prompt are refused: redaction needs the text."""

    prompt: Text | Texts
    logprobs: Top | None = None


class CachedTokens(_Answer, kw_only=True, omit_defaults=False):
    """Prompt tokens that did not have to be computed again."""

    cached_tokens: int


class CompletionUsage(_Answer, kw_only=True, omit_defaults=False):
    """Tokens read and written."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: CachedTokens


class TopToken(_Answer, kw_only=True, omit_defaults=False):
    """A token that could have been chosen."""

    token: str
    logprob: float
    bytes: list[int]


class TokenInfo(_Answer, kw_only=True, omit_defaults=False):
    """A token of the model's own text, in which placeholders stand for redacted values."""

    token: str
    logprob: float
    bytes: list[int]
    top_logprobs: list[TopToken]


class ChatLogprobs(_Answer, kw_only=True, omit_defaults=False):
    """Log-probabilities of an answer's tokens."""

    content: list[TokenInfo]
    refusal: None = None


class Spoken(_Answer, kw_only=True, omit_defaults=False):
    """The answer."""

    role: Literal["assistant"]
    content: str
    refusal: None = None


class ChatChoice(_Answer, kw_only=True, omit_defaults=False):
    """One of the answers."""

    index: int
    message: Spoken
    logprobs: ChatLogprobs | None
    finish_reason: Literal["stop", "length", "content_filter"]


class ChatCompletion(_Answer, kw_only=True, omit_defaults=False):
    """OpenAI's chat completion."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    system_fingerprint: str
    choices: list[ChatChoice]
    usage: CompletionUsage
    redacted: Counts


class TextLogprobs(_Answer, kw_only=True, omit_defaults=False):
    """Log-probabilities in the shape of completions; offsets count code points of the model's own text."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: list[int]


class TextChoice(_Answer, kw_only=True, omit_defaults=False):
    """One of the continuations."""

    index: int
    text: str
    logprobs: TextLogprobs | None
    finish_reason: Literal["stop", "length", "content_filter"] | None


class TextCompletion(_Answer, kw_only=True, omit_defaults=False):
    """OpenAI's completion."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    system_fingerprint: str
    choices: list[TextChoice]
    usage: CompletionUsage | None = None
    redacted: Counts


class Translated(_Answer, kw_only=True, omit_defaults=False):
    """One translation."""

    index: int
    text: str
    finish_reason: Literal["stop", "length", "content_filter"]


class Translations(_Answer, kw_only=True, omit_defaults=False):
    """Answer of /v1/translate."""

    model: str
    data: list[Translated]
    usage: CompletionUsage
    redacted: Counts
