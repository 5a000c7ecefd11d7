"""A linear head in float over a text's pooled vector: what makes an embedding bundle a classifier. Pure numpy.

It stands outside of the graph for the reason pooling does (see `encoder.pooled`): it reads the pooled vector, and each
text is multiplied alone, so that no answer depends on a neighbour.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .. import BundleError
from .heads import unit_length
from .manifest import Head, OutOfScope

Floats = NDArray[np.float32]


@dataclass(frozen=True, repr=False)
class LinearHead:
    """Weights of a head.

    Attributes:
        weights: `[labels, D]`.
        bias: `[labels]`.
        centroids: `[labels, D]`, unit length: where each class lies; None where no out-of-scope score is given.
        normalized: whether vectors are divided by their length first.
    """

    weights: Floats
    bias: Floats
    centroids: Floats | None
    normalized: bool

    def __call__(self, vector: Floats) -> Floats:
        """Logits, and behind them the largest cosine with a class's centroid where there are centroids.

        Shape: `[D]` -> `[labels]` or `[labels + 1]`.
        """
        x = unit_length(vector) if self.normalized else vector
        logits = self.weights @ x + self.bias
        if self.centroids is None:
            return np.asarray(logits, np.float32)
        cosine = (self.centroids @ (x if self.normalized else unit_length(x))).max()
        return np.append(logits, cosine).astype(np.float32)

    def encode(self) -> bytes:
        """The head's file: weights, bias and centroids, float32, little-endian, row by row."""
        parts = [self.weights, self.bias, *([] if self.centroids is None else [self.centroids])]
        return b"".join(np.ascontiguousarray(part, "<f4").tobytes() for part in parts)

    @classmethod
    def decode(cls, data: bytes, labels: int, settings: Head, *, normalized: bool) -> "LinearHead":
        """From a bundle's file.

        Raises:
            BundleError: another size than labels and vector make, or a value that is not finite.
        """
        size = labels * settings.inputs
        has_centroids = settings.out_of_scope is not None
        if len(data) != 4 * (size + labels + size * has_centroids):
            raise BundleError("the bundle's head does not fit its labels", hint="make the bundle again")
        values = np.frombuffer(data, "<f4").astype(np.float32)
        if not np.isfinite(values).all():
            raise BundleError("the bundle's head has values that are not finite", hint="make the bundle again")
        shape = labels, settings.inputs
        return cls(
            values[:size].reshape(shape),
            values[size : size + labels],
            values[size + labels :].reshape(shape) if has_centroids else None,
            normalized,
        )


def out_of_scope(output: Floats, settings: OutOfScope) -> float:
    """How likely a text belongs to no class, 0 to 1, from a head's output. Shape: `[labels + 1]`.

    The free energy of the logits (Liu et al., 2020, arXiv:2010.03759) and the cosine with the nearest class, each in
    units of its spread over held-out examples, then a logistic curve through 0.5 at the threshold.
    """
    distance = (settings.threshold - familiarity(output, settings)) / settings.spread
    return 0.5 + 0.5 * float(np.tanh(distance / 2))  # the logistic function, without an overflow


def familiarity(output: Floats, settings: OutOfScope) -> float:
    """How much a text resembles the examples; larger is closer. Shape: `[labels + 1]`."""
    energy = float(np.logaddexp.reduce(output[:-1].astype(np.float64)))
    return energy / settings.energy + float(output[-1]) / settings.cosine
