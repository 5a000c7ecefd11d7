"""Whether the parts of a manifest fit together, beyond what the type of each field says."""

import re

from .. import BundleError
from .manifest import MANIFEST, Manifest

# A name that means the same file on every system: no separator, no drive, no leading dot, nothing Windows reserves.
_PLAIN_NAME = re.compile(r"(?!(?i:con|prn|aux|nul|com\d|lpt\d)(\.|$))[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*\Z")

_KINDS = (["encoder"], ["generator"], ["encoder", "decoder"])
_WRITE_FROM_SOURCES = ("translation", "summarization", "text2text-generation")


def check(manifest: Manifest) -> None:
    """Refuse parts that contradict each other, and what this version does not know. Raises BundleError."""
    if [c.kind for c in manifest.components] not in _KINDS:
        raise BundleError(
            "the bundle has components that this Cloister does not know",
            hint="it needs a newer Cloister: pip install --upgrade cloister",
            code="bundle_format_unknown",
        )
    names = [f.name for f in manifest.files]
    variants = manifest.encoder.variants
    for name in names:
        if not is_plain(name) or name.lower() == MANIFEST:
            raise _contradiction("a file name in the manifest is not a plain name")
    if len({n.lower() for n in names}) != len(names):
        raise _contradiction("a file name occurs twice in the manifest")
    graphs = [v for component in manifest.components for v in component.variants]
    used = {manifest.tokenizer.file, manifest.golden, *(v.graph for v in graphs)}
    used |= {name for v in graphs for name in v.external} | set(manifest.reports)
    used |= set() if manifest.encoder_decoder is None else manifest.encoder_decoder.files
    used |= {manifest.head.file} if manifest.head else set()
    if manifest.reference is not None:
        used.add(manifest.reference)
    if manifest.generator is not None and manifest.generator.chat_template is not None:
        used.add(manifest.generator.chat_template)
    if used != set(names):
        raise _contradiction("the manifest's files and the files its parts use are not the same")
    if len({v.name for v in variants}) != len(variants):
        raise _contradiction("two variants have the same name")
    if any(not v.providers for v in variants):
        raise _contradiction("a variant names no provider")
    if len(set(manifest.labels)) != len(manifest.labels):
        raise _contradiction("a label occurs twice")
    _validate_task(manifest)
    _validate_generator(manifest)
    _validate_encoder_decoder(manifest)


def _validate_encoder_decoder(manifest: Manifest) -> None:
    settings = manifest.encoder_decoder
    writes = [c.kind for c in manifest.components] == ["encoder", "decoder"]
    if writes != (manifest.task in _WRITE_FROM_SOURCES) or writes != (settings is not None):
        raise _contradiction("the task and the components do not fit together")
    if settings is None:
        return
    encoder, decoder = ({v.name: v for v in component.variants} for component in manifest.components)
    if set(encoder) != set(decoder) or any(v.path != "cached" for v in decoder.values()):
        raise _contradiction("the variants of encoder and decoder do not fit together")
    if max(settings.end_ids + settings.suppressed + [settings.start_id]) >= settings.vocabulary:
        raise _contradiction("the settings of the decoder do not fit together")


def _validate_generator(manifest: Manifest) -> None:
    settings = manifest.generator
    generates = manifest.encoder.kind == "generator"
    if generates != (manifest.task == "text-generation") or generates != (settings is not None):
        raise _contradiction("the task and the components do not fit together")
    if any((v.path == "cached") != generates for v in manifest.encoder.variants):
        raise _contradiction("a variant's path and the component's kind do not fit together")
    if settings is None:
        return
    ids = [*settings.end_ids, settings.padding_id, *([] if settings.start_id is None else [settings.start_id])]
    if max(ids) >= settings.vocabulary or settings.heads % settings.key_value_heads:
        raise _contradiction("the settings of the generator do not fit together")


_LABELLED = ("text-classification", "token-classification", "zero-shot-classification")
_WITH_PROBLEM = ("text-classification", "zero-shot-classification")


def _validate_task(manifest: Manifest) -> None:
    task = manifest.task
    if (task in _LABELLED) != bool(manifest.labels):
        raise _contradiction("the task and the labels do not fit together")
    if (task in _WITH_PROBLEM) != (manifest.problem is not None):
        raise _contradiction("the task and the kind of problem do not fit together")
    if manifest.head is not None and manifest.task != "text-classification":
        raise _contradiction("the task and the head do not fit together")
    if manifest.head is not None and manifest.head.out_of_scope is not None and manifest.problem != "single_label":
        raise _contradiction("the kind of problem and the out-of-scope score do not fit together")
    pools = manifest.pooling is not None
    if task != "sentence-similarity" and pools != (task == "feature-extraction" or manifest.head is not None):
        raise _contradiction("the task and the pooling do not fit together")
    if (task == "fill-mask") != (manifest.tokenizer.mask_id is not None):
        raise _contradiction("the task and the mask token do not fit together")
    if manifest.thresholds is not None and (
        manifest.problem != "multi_label" or len(manifest.thresholds) != len(manifest.labels)
    ):
        raise _contradiction("the thresholds and the labels do not fit together")
    if manifest.activation != "none" and (pools or task not in ("sentence-similarity", "text-ranking")):
        raise _contradiction("the task and the activation do not fit together")
    settings = manifest.zero_shot
    if (task == "zero-shot-classification") != (settings is not None):
        raise _contradiction("the task and the hypothesis do not fit together")
    if settings is not None:
        places = {settings.entailment, settings.contradiction} - {None}
        fits = all(place < len(manifest.labels) for place in places if place is not None)
        if settings.template.count("{}") != 1 or not fits or manifest.problem == "regression":
            raise _contradiction("the hypothesis does not fit the labels")
        if settings.contradiction is None and manifest.problem == "multi_label":
            raise _contradiction("the hypothesis does not fit the labels")


def is_plain(name: str) -> bool:
    """Whether a file name is free of separators and of what some system treats specially."""
    return len(name) <= 128 and _PLAIN_NAME.match(name) is not None


def _contradiction(what: str) -> BundleError:
    return BundleError(what, hint="the bundle was not written by Cloister or was changed since: export the model again")
