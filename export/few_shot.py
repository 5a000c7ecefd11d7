"""A few examples and an embedding bundle -> a classification bundle, in seconds and without torch.

The encoder stays as it is; a linear head in float is put on its pooled vectors. Labels that have a description and no
example start from the description's vector.
"""

import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from .. import InvalidInput, __version__
from ..runtime import bundle as bundles
from ..runtime.engine import Engine
from ..runtime.golden import Golden, encode
from ..runtime.linear import LinearHead
from ..runtime.loading import load
from ..runtime.manifest import Head, Manifest, Variant
from ..runtime.results import Embedding
from .labelled import Example, Kind, read_examples
from .logistic import Fit, fit
from .redaction import DataRedactor
from .steps import Step

Floats = NDArray[np.float32]

_FILE = "head.weights"
_COSINE_SCALE = 20.0
"""Logits of a head made of descriptions alone are this many cosines: the scale sentence embeddings are trained with."""


@dataclass(frozen=True)
class FewShotReport:
    """What was made, the fields of `cloister fewshot --json`.

    Attributes:
        examples: examples by label; 0 where a description stands in.
        accuracy: cross-validated share of right labels (multi-label: micro F1), None where nothing could be held out.
        regularization: the C that was chosen, None where nothing was fitted.
        redacted: replaced values by entity, None without a policy.
    """

    bundle: str
    labels: list[str]
    examples: dict[str, int]
    accuracy: float | None
    regularization: float | None
    out_of_scope: bool
    redacted: dict[str, int] | None
    size_bytes: int
    digest: str
    seconds: float


def fewshot(
    bundle: str | os.PathLike[str],
    data: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    policy: str | os.PathLike[str] | None = None,
    force: bool = False,
    step: Step = nullcontext,
) -> FewShotReport:
    """Make a classification bundle from an embedding bundle and a few examples of each class.

    Args:
        bundle: an embedding bundle (`feature-extraction`).
        data: file of examples, `{"text", "label"}` (a list of labels makes a multi-label bundle), and of descriptions
            `{"label", "description"}` for labels without examples.
        out: folder to write, whole or not at all.
        policy: redact the data first, by a preset or a TOML file.
        force: replace a bundle that is already at `out`.
        step: called with the name of each step, to show progress.

    Raises:
        InvalidInput: the bundle gives no embeddings, or the data is not what is described above.
        MissingExtra: scikit-learn, onnxruntime or, with `policy`, the redaction engine is not installed.
        OutputExists, StorageError: `out` cannot be written.
    """
    started = time.monotonic()
    target = bundles.check_output(out, force=force)
    with step("Reading the data"):
        examples, kind, described = read_examples(Path(data))
        redactor = None if policy is None else DataRedactor(policy)
        if redactor is not None:
            examples = redactor.examples(examples)
            described = {label: redactor.text(text) for label, text in described.items()}
    with step("Reading the bundle"):
        base = bundles.read(bundle)
        if base.manifest.task != "feature-extraction":
            raise InvalidInput(
                "the bundle gives no embeddings, so it cannot take a new head",
                hint="export an embedding model: cloister export MODEL OUT --task feature-extraction",
            )
        engine = load(bundle, expected_digest=base.digest)
    counts = Counter(label for example in examples for label in example.labels)
    labels = sorted(counts.keys() | described.keys())
    with step("Reading the texts"):
        vectors, wanted, always = _matrices(engine, labels, examples, described)
    with step("Fitting the head"):
        fitted = _zero_shot(vectors, wanted) if not examples else _fitted(vectors, wanted, always, kind)
    with step("Writing the bundle"):
        manifest, files = _assemble(base, labels, kind, fitted, len(examples))
        digest = bundles.write(target, manifest, files, force=force)
    return FewShotReport(
        bundle=str(target),
        labels=labels,
        examples={label: counts[label] for label in labels},
        accuracy=fitted.accuracy,
        regularization=fitted.strength if examples else None,
        out_of_scope=fitted.out_of_scope is not None,
        redacted=None if redactor is None else dict(redactor.report.replaced),
        size_bytes=sum(map(len, files.values())),
        digest=digest,
        seconds=round(time.monotonic() - started, 2),
    )


def _matrices(
    engine: Engine, labels: Sequence[str], examples: Sequence[Example], described: Mapping[str, str]
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Unit vectors, the labels of each, and which of them are descriptions, of labels that have no example."""
    have = {label for example in examples for label in example.labels}
    stand_in = [(text, label) for label, text in sorted(described.items()) if label not in have]
    inputs = [*(example.input for example in examples), *(text for text, _ in stand_in)]
    # Beginnings carry the meaning of most long texts, and a text over the window must not end the work.
    results = engine.predict(inputs, truncate=True)
    vectors = np.array([cast(Embedding, result).vector for result in results], np.float64)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    index = {label: number for number, label in enumerate(labels)}
    wanted = np.zeros((len(inputs), len(labels)), np.bool_)
    for row, names in enumerate([*(example.labels for example in examples), *((label,) for _, label in stand_in)]):
        wanted[row, [index[name] for name in names]] = True
    return vectors, wanted, np.arange(len(inputs)) >= len(examples)


def _fitted(vectors: NDArray[np.float64], wanted: NDArray[np.bool_], always: NDArray[np.bool_], kind: Kind) -> Fit:
    if kind == "multi_label" and wanted.all(0).any():
        raise InvalidInput("a label stands on every example", hint="add examples without it")
    return fit(vectors, wanted, exclusive=kind == "single_label", always=always)


def _zero_shot(vectors: NDArray[np.float64], wanted: NDArray[np.bool_]) -> Fit:
    """Cosine with each label's description, as logits."""
    rows = vectors[wanted.argmax(0)]
    return Fit(rows * _COSINE_SCALE, np.zeros(len(rows)), rows, 0.0, None, None)


def _assemble(
    base: bundles.Bundle, labels: list[str], kind: Kind, fitted: Fit, examples: int
) -> tuple[Manifest, dict[str, bytes]]:
    old = base.manifest
    # The head was fitted on unit vectors, so the bundle makes them unit vectors whatever the embedding bundle did.
    head = LinearHead(
        fitted.weights.astype(np.float32),
        fitted.bias.astype(np.float32),
        None if fitted.out_of_scope is None else fitted.centroids.astype(np.float32),
        normalized=True,
    )
    golden = msgspec.json.decode(base.files[old.golden], type=Golden)
    outputs = {
        name: [head(np.array(vector, np.float32)) for vector in vectors] for name, vectors in golden.outputs.items()
    }
    inputs = [item[0] if len(item) == 1 else (item[0], item[1]) for item in golden.inputs]
    # What was measured on the embeddings says nothing about the classes.
    kept = {name: content for name, content in base.files.items() if name not in {*old.reports, old.reference}}
    files = {**kept, _FILE: head.encode(), old.golden: encode(inputs, outputs)}
    variants = [_tolerant(v, golden.outputs[v.name], outputs[v.name]) for v in old.encoder.variants]
    manifest = msgspec.structs.replace(
        old,
        task="text-classification",
        labels=labels,
        problem="single_label" if kind == "single_label" else "multi_label",
        normalized=True,
        components=[msgspec.structs.replace(old.encoder, variants=variants)],
        reports=[],
        reference=None,
        source=msgspec.structs.replace(old.source, versions={**old.source.versions, "cloister": __version__}),
        files=[bundles.file_entry(name, content) for name, content in sorted(files.items())],
        head=Head(
            file=_FILE,
            inputs=head.weights.shape[1],
            examples=examples,
            regularization=fitted.strength or None,
            accuracy=fitted.accuracy,
            out_of_scope=fitted.out_of_scope,
        ),
    )
    return manifest, files


def _tolerant(variant: Variant, vectors: Sequence[Sequence[float]], outputs: Sequence[Floats]) -> Variant:
    """The variant with its tolerance in the head's units: the same share of the largest golden value."""
    before = max(abs(value) for vector in vectors for value in vector)
    after = max(float(np.abs(output).max()) for output in outputs)
    tolerance = variant.tolerance * max(after, 1e-6) / max(before, 1e-6)
    return msgspec.structs.replace(variant, tolerance=tolerance, accuracy=None)
