"""Settings of an encoder-decoder bundle: what goes around a source, how a target begins, ends and is searched."""

from typing import Annotated, Literal

import msgspec

from .defaults import Sampling

Count = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[int, msgspec.Meta(ge=1)]

SOURCE_LANGUAGE = -1
"""Stands in `before` and `after` where the id of the source's language goes."""


class EncoderDecoderSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How an encoder-decoder reads sources and writes targets. FORMAT.md says the same in prose.

    Attributes:
        layers, heads, head_size: of the decoder; they give the shapes of its keys and values.
        vocabulary: size of a row of logits.
        start_id: the decoder's first input.
        end_ids: tokens that end a target.
        before, after: ids around a source's tokens, -1 for its language's.
        source_ids: file with a little-endian int32 for each id of the tokenizer: the model's id. None: they are equal.
        target_tokenizer: `tokenizer.json` that turns target ids into text; None: the source's.
        special_ids: target ids that are no text.
        languages: code of a language -> its token's id; empty where a model has no such tokens.
        target_as: whether the target's language is the target's first token, takes the place of the start token, stands
            before the source's tokens, or does not exist.
        default_source, default_target: codes that a request without them means.
        prefixes: text put before a source, by the target's language; the empty code where there are no languages.
        longest: most target tokens, the start token included.
        forced_first_id, forced_last_id: first token of every target; last one of a target that reaches its longest.
        suppressed: tokens that are never written.
        num_beams, length_penalty, early_stopping, no_repeat_ngram_size, repetition_penalty, min_length: as in
            transformers' generation config; what a request does not say.
        sampling: defaults of sampling; its repetition penalty is not set, `repetition_penalty` is.
    """

    layers: Positive
    heads: Positive
    head_size: Positive
    vocabulary: Positive
    start_id: Count
    end_ids: Annotated[list[Count], msgspec.Meta(min_length=1)]
    longest: Annotated[int, msgspec.Meta(ge=2)]
    before: list[int] = []
    after: list[int] = []
    source_ids: str | None = None
    target_tokenizer: str | None = None
    special_ids: list[Count] = []
    languages: dict[str, Count] = {}
    target_as: Literal["first token", "start token", "source token", "none"] = "none"
    default_source: str | None = None
    default_target: str | None = None
    prefixes: dict[str, str] = {}
    forced_first_id: Count | None = None
    forced_last_id: Count | None = None
    suppressed: list[Count] = []
    num_beams: Positive = 1
    length_penalty: float = 1.0
    early_stopping: bool | Literal["never"] = False
    no_repeat_ngram_size: Count = 0
    repetition_penalty: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    min_length: Count = 0
    sampling: Sampling = Sampling()

    @property
    def files(self) -> set[str]:
        """Names of the files that these settings need."""
        return {name for name in (self.source_ids, self.target_tokenizer) if name is not None}
