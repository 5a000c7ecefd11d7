"""What is asked of a model that writes text, and what comes back: options, pieces, summary, and the stream of them.

The types are the same for decoders (`generate.py`), encoder-decoders (`seq2seq.py`), the service and the command line.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

FinishReason = Literal["stop", "length", "cancelled"]
Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True, repr=False)
class Message:
    """One message of a chat.

    Attributes:
        role: who speaks: `system`, `user` or `assistant`.
        content: what is said.
    """

    role: Role
    content: str

    def __repr__(self) -> str:
        return f"<Message {self.role}>"


@dataclass(frozen=True, slots=True, repr=False)
class Constraint:
    """What the text must look like; exactly one is given.

    Attributes:
        json_schema: a JSON schema that the text is a document of; `{}` allows any JSON value.
        regex: a regular expression that the whole text matches.
        choices: texts, one of which it is.
    """

    json_schema: Mapping[str, Any] | None = None
    regex: str | None = None
    choices: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, repr=False)
class GenerationOptions:
    """How text is generated. None takes what the bundle says (`generation_config.json` of the source), else the default
    named here.

    Attributes:
        max_tokens: most tokens to generate; default: what the context leaves.
        temperature: 0 takes the most probable token every time (greedy), also the default without a word of the bundle.
        top_k: sample from so many most probable tokens; 0 from all.
        top_p: sample from the fewest tokens whose probabilities reach this sum (0 to 1); default 1.
        min_p: leave out tokens less probable than this share of the most probable one; default 0.
        repetition_penalty: divides the logits of tokens that occurred, as in transformers; default 1.
        frequency_penalty, presence_penalty: subtracted from the logits of generated tokens, as OpenAI's (-2 to 2).
        seed: the same seed gives the same text on the same machine with the same options; None draws one.
        stop: texts that end generation and are not part of it, at most 16.
        logprobs: with each piece its tokens' log-probabilities and those of so many alternatives (0 to 20); None
            without any.
        constraint: what the text must look like.
        num_beams: width of beam search, encoder-decoders only; default 1.
        length_penalty: exponent of the length that beam scores are divided by; default 1.
        source, target: languages of a translation, by the model's own codes.
        cache_salt: prompts under different salts share no cached beginnings, so the time an answer takes tells nothing
            of prompts under another one.
    """

    max_tokens: int | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    logprobs: int | None = None
    constraint: Constraint | None = None
    num_beams: int | None = None
    length_penalty: float | None = None
    source: str | None = None
    target: str | None = None
    cache_salt: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class TokenLogprob:
    """A token that was chosen, or could have been.

    Attributes:
        token: its text; bytes that are no whole character are shown as U+FFFD.
        utf8: its bytes.
        logprob: natural logarithm of its probability before sampling parameters and constraints.
        alternatives: the most probable tokens in its place, best first.
    """

    token: str
    utf8: bytes
    logprob: float
    alternatives: tuple["TokenLogprob", ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class Piece:
    """Text as it comes: whole characters, never part of a stop text.

    Attributes:
        text: not empty, but for tokens whose text is held back or empty when log-probabilities were asked for.
        logprobs: of the tokens that came since the last piece, when asked for.
    """

    text: str
    logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class Summary:
    """How generation ended.

    Attributes:
        finish_reason: `stop` (the model's end, a stop text, or a constraint fulfilled), `length` (max_tokens or the
            context), `cancelled`.
        prompt_tokens: tokens read, those of the template included.
        completion_tokens: tokens generated, without the one that ends the text.
        cached_tokens: how many of `prompt_tokens` did not have to be computed again.
    """

    finish_reason: FinishReason
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0


class Generation(ABC):
    """A text being generated. Iterate over it with `for` or `async for`: both give pieces of text as they come.

    Leaving it early, closing it or cancelling the task that waits for it frees its memory at once. An error of the
    model is raised where the text is read.

    Attributes:
        prompt_tokens: tokens of the prompt, known before the first piece.
    """

    prompt_tokens: int

    @abstractmethod
    def pieces(self) -> Iterator[Piece]:
        """Pieces with their log-probabilities, in this thread. Only one reader reads a generation, once."""

    @abstractmethod
    def apieces(self) -> AsyncIterator[Piece]:
        """The same from a coroutine."""

    @abstractmethod
    def close(self) -> None:
        """Stop and free the memory. Harmless when it has ended."""

    @property
    @abstractmethod
    def summary(self) -> Summary:
        """How it ended.

        Raises:
            InvalidInput: it has not ended yet.
        """

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __iter__(self) -> Iterator[str]:
        for piece in self.pieces():
            if piece.text:
                yield piece.text

    async def __aiter__(self) -> AsyncIterator[str]:
        async for piece in self.apieces():
            if piece.text:
                yield piece.text

    def text(self) -> str:
        """The rest of the text, once it is complete."""
        return "".join(self)

    async def atext(self) -> str:
        """The same from a coroutine."""
        return "".join([piece async for piece in self])

    def __enter__(self) -> "Generation":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


DEFAULT = GenerationOptions()
