"""Texts -> a model's source ids, and target ids -> text, by the settings of an encoder-decoder bundle."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .. import BundleError, InputTooLong, InvalidInput
from .manifest import TokenizerSettings
from .packing import Tokens
from .tokens import TextTokenizer, validated
from .translation import SOURCE_LANGUAGE, EncoderDecoderSettings


@dataclass(frozen=True, slots=True)
class Opening:
    """How a target begins.

    Attributes:
        start_id: the decoder's first input.
        first_id: the first token that is written, None where it is free.
    """

    start_id: int
    first_id: int | None


class Languages:
    """Both tokenizers of a bundle, and what goes around a source.

    Args:
        tokenizer: the source's.
        files: contents of the bundle's files by name.

    Raises:
        BundleError: a file is not what the manifest says.
    """

    def __init__(
        self,
        tokenizer: TextTokenizer,
        tokens: TokenizerSettings,
        settings: EncoderDecoderSettings,
        files: Mapping[str, bytes],
    ) -> None:
        self._source = tokenizer
        self._settings = settings
        self._special = set(settings.special_ids)
        name = settings.target_tokenizer
        self._target = tokenizer if name is None else TextTokenizer(files[name], tokens)
        self._ids = None if settings.source_ids is None else np.frombuffer(files[settings.source_ids], "<i4")
        if self._ids is not None and len(self._ids) != tokenizer.raw.get_vocab_size():
            raise BundleError("the bundle's ids do not fit its tokenizer", hint="export the model again")

    def language(self, code: str | None, which: str) -> int | None:
        """The token id of a language, None where the model has no languages.

        Raises:
            InvalidInput: a code that the model does not know, none where it needs one, one where it knows none.
        """
        settings = self._settings
        known = settings.languages
        code = code or (settings.default_source if which == "source" else settings.default_target)
        if not known:
            if code is not None and (which == "source" or not code or code not in settings.prefixes):
                codes = [known for known in settings.prefixes if known and which == "target"]
                hint = (
                    f"pass one of {', '.join(sorted(codes))}, or leave {which} out" if codes else f"leave {which} out"
                )
                raise InvalidInput(f"this model takes no such {which} language", hint=hint)
            return None
        if code is None:
            raise InvalidInput(f"this model needs a {which} language", hint=f"pass {which}, {_some(known)}")
        if code not in known:
            raise InvalidInput(f"the model does not know this {which} language", hint=f"pass {_some(known)}")
        return known[code]

    def encode(self, texts: Sequence[str], source: str | None, target: str | None) -> tuple[list[Tokens], Opening]:
        """Source ids of each text, and how the languages let their targets begin.

        Raises:
            InvalidInput: a language as `language` says, something that is not a list of texts.
            InputTooLong: a text is over the model's window.
        """
        settings = self._settings
        checked = validated(texts)
        if not all(isinstance(text, str) for text in checked):
            raise InvalidInput("pairs were passed to a model that reads single texts", hint="pass [text]")
        reads = SOURCE_LANGUAGE in [*settings.before, *settings.after]
        own = self.language(source, "source") if reads else None
        if source is not None and not reads:
            raise InvalidInput("this model takes no source language", hint="leave source out")
        target_id = self.language(target, "target") if settings.target_as != "none" or target is not None else None
        before = [*([target_id] if settings.target_as == "source token" else []), *settings.before]
        around = [[own if i == SOURCE_LANGUAGE else i for i in side] for side in (before, settings.after)]
        prefix = settings.prefixes.get(target or settings.default_target or "", "")
        found = []
        encodings = self._source.raw.encode_batch_fast([f"{prefix}{t}" for t in checked], add_special_tokens=False)
        for index, encoding in enumerate(encodings):
            ids = np.array(encoding.ids, np.int64)
            ids = ids if self._ids is None else self._ids[ids].astype(np.int64)
            whole = np.concatenate([np.array(around[0], np.int64), ids, np.array(around[1], np.int64)])
            if len(whole) > self._source.window:
                raise InputTooLong(
                    f"input {index} has {len(whole)} tokens, the model's window is {self._source.window}",
                    hint="split it into sentences",
                )
            if not len(whole):
                raise InvalidInput(f"input {index} has no tokens", hint="leave it out")
            found.append(Tokens(whole))
        match settings.target_as:
            case "first token":
                return found, Opening(settings.start_id, target_id)
            case "start token" if target_id is not None:
                return found, Opening(target_id, settings.forced_first_id)
        return found, Opening(settings.start_id, settings.forced_first_id)

    def some(self) -> tuple[str | None, str | None]:
        """Source and target that the model knows: its defaults, else its first. For probes, which need some."""
        settings = self._settings
        first = next(iter(settings.languages), None)
        reads = SOURCE_LANGUAGE in [*settings.before, *settings.after]
        source = (settings.default_source or first) if reads else None
        return source, (settings.default_target or first) if settings.target_as != "none" else None

    def decode(self, ids: Sequence[int]) -> str:
        """The text of target ids, special tokens left out."""
        return str(self._target.raw.decode([i for i in ids if i not in self._special], skip_special_tokens=False))


def _some(known: Mapping[str, int]) -> str:
    names = sorted(known)
    return f"one of {', '.join(names[:8])}" + (f" and {len(names) - 8} more" if len(names) > 8 else "")
