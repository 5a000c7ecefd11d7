"""From a bundle's folder to an engine: which variant, verified, and whether it holds on this machine."""

import os
from functools import partial
from typing import TYPE_CHECKING

from .. import InvalidInput, ProviderError, Unsupported
from .bundle import Bundle, read
from .engine import Engine, Options
from .golden import Check
from .manifest import Manifest, Variant
from .selection import Selection, select, this_machine

if TYPE_CHECKING:
    from ..privacy.unseal import Unseal

_FLOAT = ("fp32", "fp16")


def load(
    path: str | os.PathLike[str],
    *,
    options: Options | None = None,
    expected_digest: str | None = None,
    check: bool = False,
    unseal: "Unseal | None" = None,
) -> Engine:
    """Load a bundle; every file is verified before it is used.

    Args:
        path: the bundle's folder, or a sealed bundle's.
        options: provider, variant and threads.
        expected_digest: SHA-256 of the manifest that the bundle must have (`cloister inspect` shows it).
        check: also replay the golden inputs on this machine, and where they do not hold take a float variant when the
            bundle has one. A variant that was made without its provider at hand is always checked.
        unseal: keys for a sealed bundle, which is opened in memory; with them no other bundle is loaded.

    Raises:
        BundleError: damaged, incomplete, of an unknown format, or not the expected bundle.
        SealError, SignatureInvalid, KeyFileError: a sealed bundle that does not verify, or keys that do not fit.
        Unsupported: a sealed bundle with options that would write parts of it to a disk.
        MissingExtra: onnxruntime is not installed.
        ProviderError: no variant for the provider, or the provider is not available.
        DriftError: the golden outputs were checked, do not hold here, and no float variant holds either.
    """
    return _load(path, options or Options(), expected_digest, unseal, check=check)[0]


def check_golden(
    path: str | os.PathLike[str], options: Options, unseal: "Unseal | None" = None
) -> tuple[Check, Engine]:
    """Load a bundle as `load` with `check` does, for the figures; raises as `load` does, but not for drift."""
    engine, check = _load(path, options, None, unseal, check=True, refuse=False)
    if check is None:
        raise ValueError("a checked load without a check")
    return check, engine


def _load(
    path: str | os.PathLike[str],
    options: Options,
    expected_digest: str | None,
    unseal: "Unseal | None",
    *,
    check: bool,
    refuse: bool = True,
) -> tuple[Engine, Check | None]:
    """The first variant that starts and, where that is asked for, holds; after one that does not hold only floats."""
    if options.threads is not None and options.threads < 1:
        raise InvalidInput("threads must be at least 1", hint="leave it out to take what this process may use")
    if unseal is not None and options.diagnostics is not None and options.diagnostics.writes:
        raise Unsupported(
            "profiles and optimized models of a sealed bundle would be written to a disk in the clear",
            hint="leave them out, or measure with the bundle before it is sealed",
            code="seal_would_leak",
        )
    found: list[Selection] = []

    def files_of_first(manifest: Manifest) -> set[str]:
        found.extend(select(manifest.encoder.variants, options.provider, options.variant, this_machine()))
        return _needed(manifest, found[0].variant)

    bundle = read(path, expected_digest=expected_digest, unseal=unseal, keep=files_of_first)
    failed: tuple[Engine, Check] | None = None
    notes: list[str] = []
    for chosen in found:
        if failed is not None and chosen.variant.precision not in _FLOAT:
            continue
        if chosen is not found[0]:
            keep = partial(_needed, variant=chosen.variant)
            bundle = read(path, expected_digest=bundle.digest, unseal=unseal, keep=keep)
        try:
            engine = _made(bundle, chosen, options)
        except ProviderError as error:
            if options.provider != "auto" or chosen.provider == found[-1].provider:
                raise
            notes.append(f"{chosen.provider} is passed over: {error.message}")
            continue
        # What was made without the provider at hand has never run there: it answers nothing before it was checked.
        result = engine.replay(bundle) if check or chosen.variant.measured_on != "provider" else None
        engine.selection = "; ".join([*notes, engine.selection])
        if result is None or result.holds:
            return engine, result
        failed = failed or (engine, result)
        notes.append(
            f"{chosen.variant.name} does not hold on this machine: golden outputs differ by "
            f"{result.largest_difference:.3g}, tolerated are {result.tolerance:.3g}"
        )
    if failed is None:
        raise ProviderError("no variant of the bundle starts on this machine", hint="see `cloister inspect`")
    if refuse:
        failed[1].require()
    return failed


def _made(bundle: Bundle, chosen: Selection, options: Options) -> Engine:
    """An engine for the bundle's kind of model; what runs it is imported only then."""
    match [component.kind for component in bundle.manifest.components]:
        case ["generator"]:
            from .generate import GeneratorEngine

            return GeneratorEngine(bundle, chosen, options)
        case ["encoder", "decoder"]:
            from .seq2seq import EncoderDecoderEngine

            return EncoderDecoderEngine(bundle, chosen, options)
        case _:
            return Engine(bundle, chosen, options)


def _needed(manifest: Manifest, variant: Variant) -> set[str]:
    """Files for a variant; of every component the one of its name."""
    settings = manifest.generator
    optional = {
        manifest.reference,
        None if manifest.head is None else manifest.head.file,
        None if settings is None else settings.chat_template,
    }
    used = [v for component in manifest.components for v in component.variants if v.name == variant.name]
    # A generator whose weights are beside its graph is too large for memory: it is opened by its path.
    used = [v for v in used if settings is None or not v.external]
    if manifest.encoder_decoder is not None:
        optional |= manifest.encoder_decoder.files
    needed = {manifest.tokenizer.file, manifest.golden, *(name for v in used for name in (v.graph, *v.external))}
    return needed | {name for name in optional if name is not None}
