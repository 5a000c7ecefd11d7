"""What flows into each linear layer on real texts: the float graph run with those values as extra outputs."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from ..runtime.packing import Tokens, groups, pack, pad
from ..runtime.session import Arrays, Session
from .graph import in_memory
from .quantize import Linear
from .scales import Observed

Floats = NDArray[np.float32]

ROWS = 512
_GROUPS = 8  # no group of texts gives more than an eighth of the rows
_SEED = 20_000


def observe(
    model: ir.Model,
    linears: Iterable[Linear],
    texts: Sequence[Tokens],
    *,
    packed: bool,
    first_position: int,
    mask_id: int | None = None,
    threads: int,
    rows_kept: int = ROWS,
) -> dict[str, Observed]:
    """Run calibration texts through the float graph and record every linear layer's input, by the input's name.

    Args:
        model: the float graph; its outputs are extended during the call and restored after it.
        texts: calibration texts as tokens.
        rows_kept: most rows (tokens) of an input that are kept as a sample.
    """
    arrays = _arrays(texts, packed=packed, first_position=first_position, mask_id=mask_id)
    return observe_runs(model, linears, arrays, threads, rows_kept)


def observe_runs(
    model: ir.Model, linears: Iterable[Linear], runs: Iterable[Arrays], threads: int, rows_kept: int = ROWS
) -> dict[str, Observed]:
    """The same over runs of any graph, each given by the arrays that the graph reads."""
    values = list({x.name or "": x for layer in linears for x in layer.inputs}.values())
    names = [x.name or "" for x in values]
    kept = list(model.graph.outputs)
    model.graph.outputs.extend(values)
    try:
        graph, weights = in_memory(model, "observed.weights")
        session = Session(graph, {"observed.weights": weights}, provider="cpu", threads=threads)
    finally:
        model.graph.outputs.clear()
        model.graph.outputs.extend(kept)
    random = np.random.default_rng(_SEED)
    least: dict[str, Floats] = {}
    most: dict[str, Floats] = {}
    counts: dict[str, int] = dict.fromkeys(names, 0)
    rows: dict[str, list[Floats]] = {name: [] for name in names}
    for arrays in runs:
        for name, output in zip(names, session.run(arrays, names), strict=True):
            seen = output.reshape(-1, output.shape[-1])
            # From zero, since an expert may get no token of a group.
            low, high = seen.min(0, initial=0.0), seen.max(0, initial=0.0)
            least[name] = np.minimum(least.get(name, low), low)
            most[name] = np.maximum(most.get(name, high), high)
            counts[name] += len(seen)
            rows[name].append(random.permutation(seen)[: rows_kept // _GROUPS])
    return {
        name: Observed(
            least[name], most[name], random.permutation(np.concatenate(rows[name]))[:rows_kept], counts[name]
        )
        for name in names
    }


def _arrays(
    texts: Sequence[Tokens], *, packed: bool, first_position: int, mask_id: int | None
) -> Iterator[dict[str, NDArray[np.integer]]]:
    # Padded rows would count as text, so on the padded path only texts of the same length run together.
    lengths = [len(t) for t in texts]
    for group in groups(lengths) if packed else groups(lengths, bound=1.0):
        members = [texts[i] for i in group]
        yield pack(members, first_position, mask_id) if packed else pad(members, 0, mask_id)
