"""The one file that imports tokenizers: texts become token ids, with a way back to code points of the text."""

import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from .. import BundleError, InputTooLong, InvalidInput
from .manifest import TokenizerSettings
from .packing import Tokens

Input = str | tuple[str, str]

_BYTE_FALLBACK = re.compile("<0x([0-9A-Fa-f]{2})>")

_WINDOW_OVERLAP = 0.25
"""Share of a window's content that the next window repeats, so that every token is somewhere far from an edge."""


@dataclass(frozen=True, repr=False)
class Window:
    """What the model reads at once: a text, a pair, or a part of one that is longer than the model's window.

    Attributes:
        tokens: ids and types.
        content: positions in `tokens` that are text (of the second text, for a pair), not special tokens.
        offsets: `[n, 2]` first and last code point of each content token, in the text as given.
        words: `[n]` index of the pre-tokenizer's word of each content token.
        first: index of the first content token within the whole text's content tokens.
        truncated: whether text was cut away.
    """

    tokens: Tokens
    content: NDArray[np.intp]
    offsets: NDArray[np.int64]
    words: NDArray[np.int64]
    first: int
    truncated: bool = False


class TextTokenizer:
    """Turns texts into windows of tokens.

    Args:
        data: contents of a `tokenizer.json`.
        settings: window and ids the model was made with.

    Raises:
        BundleError: the data is not a tokenizer.
    """

    def __init__(self, data: bytes, settings: TokenizerSettings) -> None:
        try:
            self.raw = Tokenizer.from_buffer(data)
        except Exception as error:
            raise BundleError("the bundle's tokenizer cannot be read", hint="export the model again") from error
        self.raw.no_padding()
        self.raw.no_truncation()
        self._settings = settings
        self._plain: Tokenizer | None = None
        self._plain_lock = threading.Lock()

    @property
    def window(self) -> int:
        """Most tokens the model takes at once, special tokens included."""
        return self._settings.window

    def encode(self, inputs: Sequence[Input], *, truncate: bool) -> tuple[list[Tokens], list[bool]]:
        """Token ids of each input, special tokens included, and whether it was cut to the window.

        Raises:
            InputTooLong: an input is over the window and `truncate` is off.
            InvalidInput: an input has no tokens at all.
        """
        encodings = self.raw.encode_batch_fast(list(inputs), add_special_tokens=True)
        cut = [len(e) > self.window for e in encodings]
        for index, over in enumerate(cut):
            if over and not truncate:
                raise _too_long(index, len(encodings[index]), self.window)
            if over:
                encodings[index] = self._truncated(inputs[index])
        return [self._tokens(e, index) for index, e in enumerate(encodings)], cut

    def masks(self, texts: Sequence[str], *, truncate: bool) -> list[tuple[Tokens, list[tuple[int, int]], bool]]:
        """For each text its tokens, first and last code point of every mask in it, and whether it was cut.

        Raises:
            InputTooLong: a text is over the window and `truncate` is off.
            InvalidInput: a text has no mask, or none within the window.
        """
        mask = self._settings.mask_id
        result = []
        for index, encoding in enumerate(self.raw.encode_batch(list(texts), add_special_tokens=True)):
            cut = len(encoding) > self.window
            if cut and not truncate:
                raise _too_long(index, len(encoding), self.window)
            kept = self._truncated(texts[index]) if cut else encoding
            text = texts[index]
            places = [_trimmed(text, o) for i, o in zip(kept.ids, kept.offsets, strict=True) if i == mask]
            if not places:
                name = None if mask is None else self.raw.id_to_token(mask)
                raise InvalidInput(f"input {index} has no mask to fill", hint=f"put {name} where a word is missing")
            result.append((self._tokens(kept, index), places, cut))
        return result

    def plain(self, text: str) -> list[int]:
        """Token ids of a text in which no special token is recognized, and none added."""
        with self._plain_lock:
            if self._plain is None:
                self._plain = Tokenizer.from_str(self.raw.to_str())
                self._plain.encode_special_tokens = True
        return list(self._plain.encode(text, add_special_tokens=False).ids)

    def special(self) -> dict[str, int]:
        """Texts and ids of the special tokens."""
        return {t.content: i for i, t in self.raw.get_added_tokens_decoder().items() if t.special}

    def text(self, ids: Sequence[int]) -> str:
        """The text of tokens, special ones left out; bytes that are no whole character become U+FFFD."""
        return str(self.raw.decode(list(ids), skip_special_tokens=True))

    def token(self, index: int) -> str:
        """The text of one token id, as it stands alone."""
        return str(self.raw.decode([index], skip_special_tokens=False))

    def token_bytes(self, index: int) -> bytes:
        """The bytes of one token id, also of one that is only a part of a character."""
        text = self.token(index)
        if "\ufffd" not in text:
            return text.encode()
        piece = self.raw.id_to_token(index) or ""
        if fallback := _BYTE_FALLBACK.fullmatch(piece):
            return bytes([int(fallback[1], 16)])
        known = _byte_level()
        return bytes(known[c] for c in piece) if all(c in known for c in piece) else text.encode()

    def _truncated(self, item: Input) -> Encoding:
        """The pair's longer side is cut first, as transformers' `longest_first` does."""
        first, second = item if isinstance(item, tuple) else (item, None)
        one = self.raw.encode(first, add_special_tokens=False)
        if second is None:
            one.truncate(self._content_room(pair=False))
            return self.raw.post_process(one)
        two = self.raw.encode(second, add_special_tokens=False)
        room = self._content_room(pair=True)
        shorter = min(len(one), len(two), room // 2)
        one.truncate(shorter if len(one) <= len(two) else room - shorter)
        two.truncate(room - len(one))
        return self.raw.post_process(one, two)

    def _content_room(self, *, pair: bool) -> int:
        return self.window - self.raw.num_special_tokens_to_add(pair)

    def windows(self, text: str, index: int, second: str | None = None) -> list[Window]:
        """A text as overlapping windows with offsets; a single window where it fits. `index` is for error messages.

        A second text stands whole beside every window of the first.

        Raises:
            InputTooLong: the second text leaves no room for the first.
        """
        whole = self.raw.encode(text, add_special_tokens=False)
        room = self._content_room(pair=second is not None)
        beside = None if second is None else self.raw.encode(second, add_special_tokens=False)
        if beside is not None:
            least = max(1, room // 8)
            if len(beside) > room - least:
                raise _too_long(index, len(beside), room - least, what="second text of input", remedy="shorten it")
            room -= len(beside)
        overlap = int(room * _WINDOW_OVERLAP) if len(whole) > room else 0
        whole.truncate(room, stride=overlap)
        result, first = [], 0
        for part in (whole, *whole.overflowing):
            result.append(self._window(self.raw.post_process(part, beside), 0, first, index))
            first += len(part) - overlap
        return result

    def pair_windows(self, question: str, context: str, index: int, *, truncate: bool) -> list[Window]:
        """A question with overlapping windows of its context; content and offsets are the context's.

        Raises:
            InputTooLong: the question alone leaves no room for its context, and `truncate` is off.
        """
        asked = self.raw.encode(question, add_special_tokens=False)
        room = self._content_room(pair=True)
        least = max(1, room // 8)
        cut = len(asked) > room - least
        if cut and not truncate:
            raise _too_long(index, len(asked), room - least, what="question")
        if cut:
            asked.truncate(room - least)
        room -= len(asked)
        whole = self.raw.encode(context, add_special_tokens=False)
        overlap = int(room * _WINDOW_OVERLAP) if len(whole) > room else 0
        whole.truncate(room, stride=overlap)
        result, first = [], 0
        for part in (whole, *whole.overflowing):
            result.append(self._window(self.raw.post_process(asked, part), 1, first, index, truncated=cut))
            first += len(part) - overlap
        return result

    def _window(self, encoding: Encoding, sequence: int, first: int, index: int, *, truncated: bool = False) -> Window:
        # In a pair that is put together from its parts only the second text's tokens belong to a sequence.
        own = (s == sequence or (sequence == 0 and s is None) for s in encoding.sequence_ids)
        plain = zip(own, encoding.special_tokens_mask, strict=True)
        content = np.array([i for i, (mine, special) in enumerate(plain) if mine and not special], np.intp)
        offsets = np.array(encoding.offsets, np.int64).reshape(-1, 2)[content]
        words = np.array([-1 if w is None else w for w in encoding.word_ids], np.int64)[content]
        return Window(self._tokens(encoding, index), content, offsets, words, first, truncated)

    def _tokens(self, encoding: Encoding, index: int) -> Tokens:
        if len(encoding) == 0:
            raise InvalidInput(
                f"input {index} has no tokens", hint="this model's tokenizer adds none to an empty text: leave it out"
            )
        ids = np.array(encoding.ids, np.int64)
        return Tokens(ids, np.array(encoding.type_ids, np.int64) if self._settings.token_types else None)


def _trimmed(text: str, offsets: tuple[int, int]) -> tuple[int, int]:
    """A mask without the space before it, which tokenizers of the RoBERTa family count to it."""
    start, end = offsets
    while start < end and text[start].isspace():
        start += 1
    return start, end


_REMEDY = "shorten it, or pass truncate=True (--truncate) to answer from its beginning"


def _too_long(index: int, tokens: int, window: int, what: str = "input", remedy: str = _REMEDY) -> InputTooLong:
    return InputTooLong(f"{what} {index} has {tokens} tokens, the model's window is {window}", hint=remedy)


def validated(inputs: Sequence[object]) -> list[Input]:
    """Inputs as the tokenizer takes them.

    Raises:
        InvalidInput: not a list, an item that is neither a text nor a pair of texts, or a lone surrogate in a text.
    """
    if isinstance(inputs, str | bytes) or not isinstance(inputs, Sequence):
        raise InvalidInput("something else was passed where a list of texts is expected", hint="pass [text]")
    return [_item(item, index) for index, item in enumerate(inputs)]


def _item(item: object, index: int) -> Input:
    if isinstance(item, str):
        _check_unicode(item, index)
        return item
    if isinstance(item, tuple | list) and len(item) == 2 and all(isinstance(part, str) for part in item):
        for part in item:
            _check_unicode(part, index)
        return item[0], item[1]
    raise InvalidInput(
        f"input {index} is neither a text nor a pair of texts", hint="pass str, or (str, str) for a pair"
    )


def _check_unicode(text: str, index: int) -> None:
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError as error:
        # The original error holds the text: it must not travel with ours.
        raise InvalidInput(
            f"input {index} has a lone surrogate at code point {error.start}",
            hint="it was decoded wrongly: decode with errors='replace', or repair the source",
        ) from None


def spans(parts: Sequence[Window]) -> Iterator[slice]:
    """For windows of one text, the content tokens each window answers for: those it sees farthest from an edge.

    Slices index each window's content; together they cover every content token of the text exactly once.
    """
    start = 0
    for here, after in zip(parts, [*parts[1:], None], strict=True):
        end = here.first + len(here.content)
        border = end if after is None else (after.first + end + 1) // 2
        yield slice(start - here.first, border - here.first)
        start = border


@cache
def _byte_level() -> dict[str, int]:
    """The byte that each character of a byte-level vocabulary stands for.

    GPT-2's table: bytes that print in Latin-1 stand for themselves, the others in order for the characters from 256 on.
    """
    printing = [b for b in range(256) if 0x21 <= b <= 0x7E or 0xA1 <= b <= 0xAC or b >= 0xAE]
    others = [b for b in range(256) if b not in set(printing)]
    return {chr(b): b for b in printing} | {chr(256 + n): b for n, b in enumerate(others)}
