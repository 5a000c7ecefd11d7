"""What a bundle says of sources, targets and search, from the configs of an encoder-decoder."""

from collections.abc import Mapping
from typing import Any, cast

from .. import ExportError
from ..runtime.defaults import Sampling
from ..runtime.manifest import Task
from ..runtime.translation import EncoderDecoderSettings
from .seq2seq_source import Loaded
from .seq2seq_tokens import around, languages_of, tokenizer_files
from .trace_seq2seq import Graphs

# What generation configs may ask beside what the search does; a value other than these is refused.
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "num_beam_groups": (None, 1),
    "diversity_penalty": (None, 0.0),
    "encoder_repetition_penalty": (None, 1.0),
    "encoder_no_repeat_ngram_size": (None, 0),
    "sequence_bias": (None,),
    "guidance_scale": (None, 1, 1.0),
    "exponential_decay_length_penalty": (None,),
    "begin_suppress_tokens": (None, []),
    "constraints": (None,),
    "force_words_ids": (None,),
    "penalty_alpha": (None, 0, 0.0),
    "renormalize_logits": (None, False),
    "typical_p": (None, 1.0),
    "epsilon_cutoff": (None, 0.0),
    "eta_cutoff": (None, 0.0),
}


def settings_of(loaded: Loaded, graphs: Graphs) -> EncoderDecoderSettings:
    """What the bundle says of sources, targets and search; puts the tokenizers' files into `loaded.files`.

    Raises:
        ExportError: a generation config with something that the search does not do.
    """
    config, generation, tokenizer = loaded.model.config, loaded.generation, loaded.tokenizer
    for name, neutral in _NEUTRAL.items():
        if getattr(generation, name, None) not in neutral:
            raise ExportError(
                f"the model's generation config sets {name}, which is not supported",
                hint="remove it from generation_config.json if the model does not need it",
                code="generation_unsupported",
            )
    bad = generation.bad_words_ids or []
    if any(len(words) != 1 for words in bad):
        raise ExportError(
            "the model's generation config suppresses words of several tokens, which is not supported",
            hint="remove bad_words_ids from generation_config.json if the model does not need them",
            code="generation_unsupported",
        )
    start = generation.decoder_start_token_id
    start = getattr(config, "decoder_start_token_id", None) if start is None else start
    ends = generation.eos_token_id if isinstance(generation.eos_token_id, list) else [generation.eos_token_id]
    if start is None or ends == [None]:
        raise ExportError(
            "the model's config names no decoder_start_token_id or no eos_token_id",
            hint="set them in config.json or generation_config.json",
            code="config_invalid",
        )
    languages, codes = languages_of(loaded)
    before, after = around(tokenizer, set(languages.values()))
    source_ids, target = tokenizer_files(loaded)
    suppressed = {words[0] for words in bad if words[0] not in ends} | set(generation.suppress_tokens or [])
    longest = int(generation.max_length or 0)
    family = config.model_type
    forced = generation.forced_bos_token_id
    by_id = {i: code for code, i in languages.items()}
    if not languages:
        target_as = "none"
    elif family == "marian":
        target_as = "source token"
    else:  # an mBART of one pair of languages starts with the target's instead of forcing it as the first token
        target_as = "start token" if start in by_id else "first token"
    specific = (getattr(config, "task_specific_params", None) or {}) if family in ("t5", "mt5") else {}
    default_target = {"start token": by_id.get(start), "first token": by_id.get(forced)}.get(target_as)
    last = generation.forced_eos_token_id
    return EncoderDecoderSettings(
        layers=len(graphs.parts.own),
        heads=graphs.parts.heads,
        head_size=graphs.parts.head_size,
        vocabulary=config.vocab_size,
        start_id=start,
        end_ids=ends,
        longest=min(longest if longest > 20 else loaded.window, loaded.window),
        before=before,
        after=after,
        source_ids=source_ids,
        target_tokenizer=target,
        special_ids=sorted({int(i) for i in tokenizer.all_special_ids} | set(languages.values())),
        languages=languages,
        target_as=cast(Any, target_as),
        default_source=codes,
        default_target=default_target,
        prefixes=_prefixes(loaded.task, specific),
        forced_first_id=forced,
        forced_last_id=last[0] if isinstance(last, list) else last,
        suppressed=sorted(suppressed),
        num_beams=generation.num_beams or 1,
        length_penalty=1.0 if generation.length_penalty is None else float(generation.length_penalty),
        early_stopping=cast(Any, generation.early_stopping or False),
        no_repeat_ngram_size=generation.no_repeat_ngram_size or 0,
        repetition_penalty=float(generation.repetition_penalty or 1.0),
        min_length=generation.min_length or 0,
        sampling=_sampling(generation),
    )


def _sampling(generation: Any) -> Sampling:
    """How the model is sampled where its generation config says that it is.

    Raises:
        ExportError: it is to be sampled with beams.
    """
    if not generation.do_sample:
        return Sampling()
    if (generation.num_beams or 1) > 1:
        raise ExportError(
            "the model's generation config samples with beams, which is not supported",
            hint="remove do_sample or num_beams from generation_config.json",
            code="generation_unsupported",
        )

    def said(name: str, otherwise: Any) -> Any:
        value = getattr(generation, name, None)
        return otherwise if value is None else value

    # What transformers takes where the config leaves it out.
    return Sampling(said("temperature", 1.0), said("top_k", 50), said("top_p", 1.0), said("min_p", 0.0))


def _prefixes(task: Task, specific: Mapping[str, Any]) -> dict[str, str]:
    """T5's words before a source: of the task, and of each translation it was trained for, by its target."""
    found = {}
    for name, settings in specific.items():
        prefix = settings.get("prefix") if isinstance(settings, dict) else None
        if prefix and name == task:
            found[""] = prefix
        if prefix and task == "translation" and name.startswith("translation_"):
            found[name.rsplit("_", 1)[-1]] = prefix
    return found
