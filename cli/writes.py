"""What `inspect` says of a model that writes text: vocabulary, languages, search and sampling, memory, parts."""

from collections.abc import Iterable, Mapping
from typing import Any

_MOST = 12


def rows(manifest: Any, sizes: Mapping[str, int]) -> dict[str, str]:
    """Lines of a report for a decoder or an encoder-decoder, none for other models.

    Args:
        manifest: of the bundle.
        sizes: bytes of its files by name.
    """
    if manifest.generator is not None:
        return _generator(manifest.generator, manifest.tokenizer.window)
    if manifest.encoder_decoder is not None:
        return _encoder_decoder(manifest, manifest.encoder_decoder, sizes)
    return {}


def _generator(settings: Any, window: int) -> dict[str, str]:
    token = 2 * settings.layers * settings.key_value_heads * settings.head_size
    return {
        "window": f"{window} tokens, prompt and text together",
        "vocabulary": f"{settings.vocabulary} tokens",
        "chat template": "yes" if settings.chat_template else "none: it continues texts",
        "sampling": _sampling(settings.sampling, settings.sampling.repetition_penalty),
        "memory": f"{_size(4 * token)} of keys and values for each token in float32, half in fp16",
    }


def _encoder_decoder(manifest: Any, settings: Any, sizes: Mapping[str, int]) -> dict[str, str]:
    found = {
        "window": f"{manifest.tokenizer.window} tokens of a source, {settings.longest - 1} of a target",
        "vocabulary": f"{settings.vocabulary} tokens",
    }
    if settings.languages:
        what = {
            "first token": "the target's is its first token",
            "start token": "the target's is where it starts",
            "source token": "the target's stands before the source",
        }[settings.target_as]
        found["languages"] = f"{len(settings.languages)}, {what}: {_shortened(sorted(settings.languages))}"
        defaults = {"source": settings.default_source, "target": settings.default_target}
        named = [f"{which} {code}" for which, code in defaults.items() if code is not None]
        if named:
            found["by default"] = ", ".join(named)
    if settings.prefixes:
        found["prefix"] = ", ".join(
            f"{f'{code}: ' if code else ''}{text.strip()!r}" for code, text in sorted(settings.prefixes.items())
        )
    found["search"] = _search(settings)
    found["sampling"] = _sampling(settings.sampling, settings.repetition_penalty)
    token = 2 * settings.layers * settings.heads * settings.head_size
    found["memory"] = f"{_size(4 * token)} of keys and values for each token of the source, and of every beam"
    for component in manifest.components:
        for variant in component.variants:
            size = sum(sizes[name] for name in {variant.graph, *variant.external})
            shared = ", files that other variants read too among them" if variant.shared else ""
            found[f"{variant.name} {component.kind}"] = f"{_size(size)}{shared}"
    return found


def _search(settings: Any) -> str:
    parts = ["greedy" if settings.num_beams == 1 else f"{settings.num_beams} beams"]
    if settings.num_beams > 1:
        parts.append(f"length penalty {settings.length_penalty:g}")
        early = {True: "stops at the first that are whole", "never": "stops when none can become better"}
        parts += [early[settings.early_stopping]] if settings.early_stopping else []
    if settings.no_repeat_ngram_size:
        parts.append(f"no {settings.no_repeat_ngram_size} tokens twice")
    if settings.min_length:
        parts.append(f"at least {settings.min_length} tokens")
    if settings.forced_first_id is not None:
        parts.append("a fixed first token")
    if settings.suppressed:
        count = len(settings.suppressed)
        parts.append(f"{count} token{'s' if count > 1 else ''} never written")
    return ", ".join(parts)


def _sampling(said: Any, repetition: float | None) -> str:
    parts = []
    if said.temperature:
        parts.append(f"temperature {said.temperature:g}")
        parts += [f"{n} {v:g}" for n in ("top_k", "top_p", "min_p") if (v := getattr(said, n)) is not None]
    else:
        parts.append("none unless asked for")
    if repetition not in (None, 1.0):
        parts.append(f"repetition penalty {repetition:g}")
    return ", ".join(parts)


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"


def _shortened(names: Iterable[str]) -> str:
    some = list(names)
    return ", ".join(some[:_MOST]) + (f" and {len(some) - _MOST} more" if len(some) > _MOST else "")
