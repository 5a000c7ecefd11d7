"""What runs a decoder: many sequences in one run on the processor, one after the other on CUDA."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .manifest import GeneratorSettings

Floats = NDArray[np.float32]

CHUNK = 64
"""Tokens of a prompt that are read in one run. Chunks begin at multiples of it, so that the same tokens are read in the
same runs whatever came before, and give the same bits."""


class Cached(Protocol):
    """Tokens that were read, with their keys and values. Used by one thread at a time."""

    def __len__(self) -> int: ...

    def append(self, tokens: Sequence[int] | NDArray[np.int64]) -> Floats:
        """Read tokens; the logits of what may follow. Shape: `[n]` -> `[vocabulary]`."""

    def rewind(self, length: int) -> None:
        """Forget all tokens after the first `length`."""

    def block(self, start: int) -> Floats:
        """Keys and values from a token on, copied. Shape: `[2 * layers, heads, n, size]`."""

    def restore(self, block: Floats) -> None:
        """Take tokens that another sequence read after the same beginning."""


class Rows(Protocol):
    """Sequences whose next tokens are read together. Used by one thread at a time.

    Rows are dense: where one leaves, the last takes its place.
    """

    def __len__(self) -> int: ...

    def join(self, sequence: Cached, most: int) -> None:
        """Take a sequence in as the last row; it can grow to `most` tokens."""

    def step(self, tokens: Sequence[int]) -> Floats:
        """Read one token for each row; logits of what may follow, until the next step.

        Shape: `[rows]` -> `[rows, vocabulary]`.
        """

    def leave(self, row: int) -> None:
        """Take a row out and free its memory; the last row takes its place."""


class Decoder(Protocol):
    """A decoder, ready for many sequences.

    Attributes:
        context: most tokens of a sequence.
        vocabulary: tokens there are.
        shares: whether keys and values of one sequence can be given to another.
    """

    context: int
    vocabulary: int
    shares: bool

    def sequence(self, most: int) -> Cached:
        """A new sequence of at most `most` tokens."""

    def batch(self) -> Rows:
        """Sequences that get their tokens together; none so far."""

    def working_bytes(self, longest: int, rows: int) -> int:
        """What a run needs beside keys and values, at most, with sequences of up to `longest` tokens."""


def open_decoder(
    graph: bytes | Path, settings: GeneratorSettings, context: int, *, provider: str, threads: int
) -> Decoder:
    """A decoder on the provider.

    On the processor onnxruntime runs the graph itself, a batch of sequences at a time: a run reads all weights once,
    for however many sequences. On CUDA onnxruntime-genai keeps keys and values on the device, a sequence at a time.

    Args:
        graph: a serialized ONNX model with its weights inside, or the path of one with weights beside it.
        settings: what has to be known of the graph.
        context: most tokens of a sequence.
        provider: `cpu` or `cuda`.
        threads: threads for one run.

    Raises:
        BundleError: the library does not accept the graph.
        MissingExtra: the library is not installed.
    """
    if provider != "cpu":
        from . import genai

        return genai.Decoder(graph, settings, context, provider=provider, threads=threads)
    from .causal import CausalDecoder
    from .session import Session

    session = Session(graph, {}, provider=provider, threads=threads, successive=True)
    return CausalDecoder(session, settings, context)
