"""Golden data: inputs with the outputs they had where the bundle was made, replayed on the machine at hand."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from .. import BundleError, DriftError
from .bundle import Bundle
from .manifest import Variant

Floats = NDArray[np.float32]
_WIDEST = 8192
Forward = Callable[[list[str | tuple[str, str]]], list[Floats]]


class Golden(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Contents of the golden file.

    Attributes:
        inputs: texts `[text]` and pairs `[text, text_pair]`, all from Cloister's built-in set.
        outputs: for each variant and input the graph's output, thinned, flattened row by row.
    """

    inputs: list[list[str]]
    outputs: dict[str, list[list[float]]]


@dataclass(frozen=True)
class Check:
    """Result of a replay: how many inputs, and the largest difference beside what is tolerated."""

    inputs: int
    largest_difference: float
    tolerance: float

    @property
    def holds(self) -> bool:
        """Whether every output is within the tolerance."""
        return self.largest_difference <= self.tolerance

    def require(self) -> None:
        """Make a failed check an error.

        Raises:
            DriftError: this machine computes something else than the one that made the bundle.
        """
        if not self.holds:
            raise DriftError(
                f"golden outputs differ by {self.largest_difference:.3g} on this machine, tolerated are "
                f"{self.tolerance:.3g}",
                hint="this processor computes int8 differently: export the bundle on it, or with --precision fp32",
            )


def thinned(output: Floats) -> Floats:
    """What of an output is kept: of rows longer than 8,192 values (a vocabulary) every n-th, n as small as fits.

    Shape: `[…, V]` -> `[…, ⌈V / n⌉]`, n = ⌈V / 8192⌉.
    """
    return output[..., :: -(-output.shape[-1] // _WIDEST)]


def encode(inputs: Sequence[str | tuple[str, str]], outputs: Mapping[str, Sequence[Floats]]) -> bytes:
    """The golden file's bytes."""
    golden = Golden(
        [[item] if isinstance(item, str) else list(item) for item in inputs],
        {name: [[float(v) for v in thinned(o).ravel()] for o in arrays] for name, arrays in outputs.items()},
    )
    return msgspec.json.encode(golden) + b"\n"


def replay(bundle: Bundle, variant: Variant, forward: Forward) -> Check:
    """Run the golden inputs through `forward` and compare.

    Raises:
        BundleError: the golden file is invalid, or does not fit the model.
    """
    try:
        golden = msgspec.json.decode(bundle.files[bundle.manifest.golden], type=Golden)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError("the bundle's golden file is invalid", hint="export the model again") from error
    expected = golden.outputs.get(variant.name, [])
    if not golden.inputs or len(expected) != len(golden.inputs) or any(len(i) not in (1, 2) for i in golden.inputs):
        raise BundleError("the bundle's golden file does not cover its variants", hint="export the model again")
    outputs = forward([item[0] if len(item) == 1 else (item[0], item[1]) for item in golden.inputs])
    largest = 0.0
    for wanted, output in zip(expected, map(thinned, outputs), strict=True):
        if output.size != len(wanted):
            raise BundleError("the bundle's golden file does not fit its graph", hint="export the model again")
        difference = np.abs(np.asarray(wanted, np.float64) - output.ravel()).max(initial=0.0)
        # A NaN compares as no difference at all unless it is asked for.
        largest = max(largest, float("inf") if np.isnan(difference) else float(difference))
    return Check(len(expected), largest, variant.tolerance)
