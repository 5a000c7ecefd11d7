"""Which variant of a bundle runs on this machine, and why."""

import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .. import InvalidInput, ProviderError
from .manifest import Variant
from .processor import features
from .session import available_providers

_VNNI = frozenset({"avx_vnni", "avx512_vnni"})
_X86 = frozenset({"x86_64", "amd64", "i386", "i686"})
PROVIDERS = ("cuda", "cpu")  # in the order in which `auto` tries them


@dataclass(frozen=True)
class Machine:
    """What decides between variants.

    Attributes:
        features: the processor's features in Linux's names; empty where the system does not tell.
        providers: execution providers of the installed onnxruntime.
        x86: whether the processor is of that family.
    """

    features: frozenset[str]
    providers: Sequence[str]
    x86: bool

    @property
    def saturates(self) -> bool:
        """Whether sums of 8-bit products may be cut off at 16 bits.

        On x86 without VNNI onnxruntime multiplies unsigned activations with signed weights by `vpmaddubsw`, which
        adds two products with saturation at 16 bits. Where the features are unknown the answer is yes.
        """
        return self.x86 and not self.features & _VNNI


def this_machine() -> Machine:
    """The machine that this process runs on."""
    return Machine(features(), available_providers(), platform.machine().lower() in _X86)


@dataclass(frozen=True)
class Selection:
    """A variant to run, on what, and one sentence that says why it and no other.

    Attributes:
        exact_sums: whether signed weights must be widened here because the variant's sums could saturate.
    """

    variant: Variant
    provider: str
    reason: str
    exact_sums: bool = False


def select(variants: Sequence[Variant], provider: str, name: str | None, machine: Machine) -> list[Selection]:
    """Variants that can run here, the best first; the others are for the case that the first does not hold.

    Providers come in the order cuda, cpu. For one provider a bundle's own order decides, except that a variant whose
    integer sums would saturate on this processor comes last.

    Args:
        variants: of the bundle, in its order.
        provider: `cpu`, `cuda` or `auto`.
        name: only this variant, None for any.
        machine: see `this_machine`.

    Raises:
        InvalidInput: no such provider.
        ProviderError: no variant of that name, none for the provider, or none that this processor can run.
    """
    if provider not in (*PROVIDERS, "auto"):
        raise InvalidInput("there is no such provider", hint="provider is cpu, cuda or auto")
    wanted = [v for v in variants if name in (None, v.name)]
    if not wanted:
        raise ProviderError(
            "the bundle has no variant of that name", hint=f"it has: {', '.join(v.name for v in variants)}"
        )
    asked = [p for p in PROVIDERS if p in machine.providers] if provider == "auto" else [provider]
    made_for = [v for v in wanted if set(v.providers) & set(asked)]
    if not made_for:
        known = ", ".join(sorted({p for v in wanted for p in v.providers}))
        raise ProviderError(f"the bundle has no variant for {provider}", hint=f"it was made for: {known}")
    able = [v for v in made_for if machine.features.issuperset(v.cpu_features)]
    if not able:
        raise ProviderError(
            "this processor lacks features that the bundle's variants need",
            hint="export the model with --precision int8,fp32",
        )
    found = [s for p in asked for s in _ranked([v for v in able if p in v.providers], p, machine)]
    if name is not None:
        return [Selection(s.variant, s.provider, f"asked for by name; {s.reason}", s.exact_sums) for s in found]
    return found


def _ranked(variants: Sequence[Variant], provider: str, machine: Machine) -> Iterator[Selection]:
    risky = [v for v in variants if provider == "cpu" and machine.saturates and _may_saturate(v)]
    for variant in (v for v in variants if v not in risky):
        yield Selection(variant, provider, _reason(variant, provider, machine, passed_over=bool(risky)))
    for variant in risky:
        why = (
            "this processor has no VNNI and the variant's sums could saturate: its weights are widened, which is slower"
        )
        yield Selection(variant, provider, why, exact_sums=True)


def _may_saturate(variant: Variant) -> bool:
    return variant.precision == "int8" and variant.saturation_safe is not True


def _reason(variant: Variant, provider: str, machine: Machine, *, passed_over: bool) -> str:
    if provider != "cpu":
        return f"made for {provider}"
    if variant.precision != "int8":
        return "this processor has no VNNI and the bundle's int8 could saturate" if passed_over else "made for cpu"
    if not machine.saturates:
        return "made for cpu; int8 sums are exact on this processor"
    return "made for cpu; int8 weights are chosen so that sums do not saturate on a processor without VNNI"
