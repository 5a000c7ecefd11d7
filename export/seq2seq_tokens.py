"""Both tokenizers of an encoder-decoder as files of a bundle, its languages, and a comparison with the original."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from .. import ExportError
from ..runtime.languages import Languages
from ..runtime.translation import SOURCE_LANGUAGE, EncoderDecoderSettings
from . import sentencepieces
from .loading import as_export_error
from .seq2seq_source import Loaded
from .texts import PROBES

_BEFORE_SOURCE = re.compile(r">>(\S+)<<")
_CODE = re.compile(r"[a-z]{3}_[A-Z][a-z]{3}|[a-z]{2}_[A-Z]{2}")


def languages_of(loaded: Loaded) -> tuple[dict[str, int], str | None]:
    """Token ids of the model's languages by their codes, and the code that a source without one has."""
    tokenizer, family = loaded.tokenizer, loaded.model.config.model_type
    if family not in ("marian", "m2m_100", "mbart"):
        return {}, None
    if family == "marian":
        names = {match.group(1): name for name in tokenizer.encoder if (match := _BEFORE_SOURCE.fullmatch(name))}
    elif hasattr(tokenizer, "lang_token_to_id"):  # M2M100's: `__en__`, which its list of special tokens may lack
        names = dict(zip(tokenizer.lang_code_to_id, tokenizer.lang_token_to_id, strict=True))
    else:
        added = [*tokenizer.all_special_tokens, *tokenizer.added_tokens_encoder]
        names = {name: name for name in map(str, added) if _CODE.fullmatch(name)}
    found = {code: int(tokenizer.convert_tokens_to_ids(name)) for code, name in names.items()}
    return found, getattr(tokenizer, "src_lang", None) if found and family != "marian" else None


def around(tokenizer: Any, languages: set[int]) -> tuple[list[int], list[int]]:
    """Ids that the tokenizer puts before and after a text, `SOURCE_LANGUAGE` for one of the languages.

    Raises:
        ExportError: it puts some inside.
    """
    plain = tokenizer("a", add_special_tokens=False)["input_ids"]
    whole = tokenizer("a")["input_ids"]
    for start in range(len(whole) - len(plain) + 1):
        if whole[start : start + len(plain)] == plain:
            around = whole[:start], whole[start + len(plain) :]
            named = [[SOURCE_LANGUAGE if i in languages else i for i in side] for side in around]
            return named[0], named[1]
    raise ExportError(
        "the tokenizer adds special tokens inside a text", hint="report this tokenizer", code="tokenizer_unsupported"
    )


def tokenizer_files(loaded: Loaded) -> tuple[str | None, str | None]:
    """Put `tokenizer.json`, and where they are needed ids and the target's tokenizer, among the files."""
    tokenizer, files = loaded.tokenizer, loaded.files
    backend = getattr(tokenizer, "backend_tokenizer", None) if tokenizer.is_fast else None
    if backend is not None:
        data = json.loads(backend.to_str())
        data["truncation"] = data["padding"] = data["post_processor"] = None
        files["tokenizer.json"] = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
        return None, None
    pair = getattr(tokenizer, "spm_files", None) or [getattr(tokenizer, "spm_file", None)]
    if pair[0] is None:
        raise ExportError(
            "the tokenizer has no fast form", hint="convert it with transformers first", code="tokenizer_unsupported"
        )
    with as_export_error("the SentencePiece model cannot be read", "tokenizer_invalid"):
        model = sentencepieces.read(Path(pair[0]))
    vocabulary = dict(tokenizer.encoder)
    target = dict(getattr(tokenizer, "target_encoder", vocabulary))
    files["tokenizer.json"] = sentencepieces.tokenizer(model).encode()
    files["source.ids"] = sentencepieces.ids(model, vocabulary, vocabulary[str(tokenizer.unk_token)])
    files["target.json"] = sentencepieces.target_tokenizer(target).encode()
    return "source.ids", "target.json"


def same_tokens(loaded: Loaded, languages: Languages, settings: EncoderDecoderSettings) -> None:
    """Cloister's source ids and target texts must be the source's.

    Raises:
        ExportError: they are not.
    """
    tokenizer = loaded.tokenizer
    source, target = languages.some()
    random = np.random.default_rng(0)
    for text in (*PROBES, "  two  spaces ", "e\u0301 \ufb01 ½", "???"):
        text = text[: loaded.window // 3]  # a byte or two for a token, and room for prefix and language
        ours = languages.encode([text], source, target)
        prefix = settings.prefixes.get(settings.default_target or "", "")
        head = f">>{target}<<" if settings.target_as == "source token" else ""
        theirs = tokenizer(head + prefix + text)["input_ids"]
        drawn = random.integers(0, min(len(tokenizer), settings.vocabulary), 12).tolist()
        written = [i for i in drawn if i not in settings.special_ids]  # transformers writes some languages as text
        wanted = tokenizer.decode(written, skip_special_tokens=True)
        if theirs != ours[0][0].ids.tolist() or wanted.split() != languages.decode(written).split():
            raise ExportError(
                "the tokenizer gives other tokens or texts outside transformers",
                hint="save it with a recent transformers (tokenizer.save_pretrained) and export again",
                code="tokenizer_mismatch",
            )
