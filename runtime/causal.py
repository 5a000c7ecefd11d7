"""Decoders on onnxruntime: prompts are read in chunks, and every sequence of a batch gets a token in one run.

The graph is the one of onnxruntime-genai's model builder: `GroupQueryAttention` reads and writes keys and values in
place, and takes each row's own length from the attention mask. So rows come and go between any two runs.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .. import BundleError
from .decoding import CHUNK, Cached
from .keyvalues import KeyValues, Shape, rounded
from .manifest import GeneratorSettings
from .session import InPlace, Session

Floats = NDArray[np.float32]


class CausalDecoder:
    """A decoder, ready for many sequences.

    Args:
        session: the graph.
        settings: of the model.
        context: most tokens of a sequence.

    Raises:
        BundleError: the graph reads something else than ids, a mask, keys and values.
    """

    shares = True

    def __init__(self, session: Session, settings: GeneratorSettings, context: int) -> None:
        self.context = context
        self.vocabulary = settings.vocabulary
        self.shape = Shape(settings.layers, settings.key_value_heads, settings.head_size)
        self.session = session
        self.heads = settings.heads
        parts = [f"{layer}.{part}" for layer in range(settings.layers) for part in ("key", "value")]
        self.past = [f"past_key_values.{part}" for part in parts]
        self.present = [f"present.{part}" for part in parts]
        if session.inputs != {"input_ids", "attention_mask", *self.past} or "logits" not in session.outputs:
            raise BundleError(
                "the generator's graph has other inputs than a decoder of its shape",
                hint="export the model again",
                code="graph_rejected",
            )

    def sequence(self, most: int) -> "CausalSequence":
        """A new sequence of at most `most` tokens."""
        return CausalSequence(self, most)

    def batch(self) -> "CausalBatch":
        """Sequences that get their tokens together; none so far."""
        return CausalBatch(self)

    def runs(self, memory: KeyValues, rows: int, logits: Floats | None = None) -> InPlace:
        """Runs that read and write the first rows' keys and values where they are, and give logits."""
        found = zip(self.past, self.present, (one[:rows] for one in memory.arrays), strict=True)
        return self.session.in_place(list(found), "logits", logits)

    def working_bytes(self, longest: int, rows: int) -> int:
        """What a run needs beside keys and values, at most: logits, and attention over `longest` tokens."""
        chunk = min(CHUNK, longest)
        read = chunk * (self.vocabulary + self.heads * rounded(longest))
        step = rows * (self.vocabulary + self.heads * rounded(longest))
        return 4 * max(read, step)


class CausalSequence:
    """Tokens that were read, with their keys and values. Used by one thread at a time."""

    def __init__(self, decoder: CausalDecoder, most: int) -> None:
        self._decoder = decoder
        self.memory = KeyValues(decoder.shape, 1, most)
        self._runs = decoder.runs(self.memory, 1)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def append(self, tokens: Sequence[int] | NDArray[np.int64]) -> Floats:
        """Read tokens; the logits of what may follow. Shape: `[n]` -> `[vocabulary]`."""
        logits = None
        start = 0
        while start < len(tokens):
            stop = min(len(tokens), start + CHUNK - self._length % CHUNK)
            logits = self._read(tokens[start:stop])
            start = stop
        if logits is None:
            raise ValueError("no tokens to read")
        return logits

    def _read(self, tokens: Sequence[int] | NDArray[np.int64]) -> Floats:
        """The same in a single run."""
        total = self._length + len(tokens)
        ids = np.asarray(tokens, np.int64)[None]
        logits = self._runs.run({"input_ids": ids, "attention_mask": np.ones((1, total), np.int64)})
        self._length = total
        return np.array(logits[0, -1], np.float32)

    def block(self, start: int) -> Floats:
        """Keys and values from a token on; see `KeyValues.read`."""
        return self.memory.read(0, start, self._length)

    def restore(self, block: Floats) -> None:
        """Take tokens that another sequence read after the same beginning."""
        self.memory.write(0, self._length, block)
        self._length += block.shape[2]

    def rewind(self, length: int) -> None:
        """Forget all tokens after the first `length`."""
        self._length = length


class CausalBatch:
    """Sequences whose next tokens are read in one run. Used by one thread at a time.

    Rows are dense: where one leaves, the last takes its place.
    """

    def __init__(self, decoder: CausalDecoder) -> None:
        self._decoder = decoder
        self._memory: KeyValues | None = None
        self._lengths: list[int] = []
        self._room: list[int] = []
        self._runs: dict[int, InPlace] = {}

    def __len__(self) -> int:
        return len(self._lengths)

    def join(self, sequence: Cached, most: int) -> None:
        """Take a sequence in as the last row; it can grow to `most` tokens."""
        if not isinstance(sequence, CausalSequence):
            raise TypeError("a sequence of another decoder")
        rows, length = len(self._lengths) + 1, rounded(max([most, *self._room]))
        memory = self._memory
        if memory is None or rows > memory.rows or length > memory.length:
            memory = self._grown(1 << (rows - 1).bit_length(), length)
        memory.copy(rows - 1, sequence.memory, 0, len(sequence))
        self._lengths.append(len(sequence))
        self._room.append(most)

    def _grown(self, rows: int, length: int) -> KeyValues:
        before = self._memory
        memory = KeyValues(self._decoder.shape, rows, length)
        for row, tokens in enumerate(self._lengths):
            if before is not None:
                memory.copy(row, before, row, tokens)
                before.free(row)
        self._memory, self._runs = memory, {}
        return memory

    def step(self, tokens: Sequence[int]) -> Floats:
        """Read one token for each row; logits of what may follow, until the next step.

        Shape: `[rows]` -> `[rows, vocabulary]`.
        """
        memory, rows = self._memory, len(self._lengths)
        if memory is None or len(tokens) != rows:
            raise ValueError("as many tokens as rows")
        if rows not in self._runs:
            # One array for all runs: new ones of this size would cost a millisecond of page faults each.
            logits = np.empty((rows, 1, self._decoder.vocabulary), np.float32)
            self._runs = {rows: self._decoder.runs(memory, rows, logits)}
        lengths = np.array(self._lengths) + 1
        mask = np.arange(lengths.max()) < lengths[:, None]
        ids = np.asarray(tokens, np.int64)[:, None]
        found = self._runs[rows].run({"input_ids": ids, "attention_mask": mask.astype(np.int64)})
        self._lengths = lengths.tolist()
        return found[:, 0]

    def leave(self, row: int) -> None:
        """Take a row out and free its memory; the last row takes its place."""
        memory, last = self._memory, len(self._lengths) - 1
        if memory is None or not 0 <= row <= last:
            raise ValueError("no such row")
        if last == 0:
            self._memory, self._runs, self._lengths, self._room = None, {}, [], []
            return
        memory.free(row)
        if row != last:
            memory.copy(row, memory, last, self._lengths[last])
            memory.free(last)
        for line in (self._lengths, self._room):
            line[row] = line[last]
            line.pop()
