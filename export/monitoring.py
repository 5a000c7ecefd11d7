"""What the model answers to the user's own texts, as histograms in the bundle: what a service calls normal later."""

from collections.abc import Sequence

import msgspec

from ..privacy.monitoring.reference import build, encode
from ..runtime import bundle
from ..runtime.encoder import Encoder
from ..runtime.manifest import Manifest
from ..runtime.tasks import Wanted, prepare
from ..runtime.tokens import TextTokenizer
from ..runtime.watch import outcome

NAME = "reference.json"
_MOST = 4096

Text = str | tuple[str, str]


def with_reference(
    manifest: Manifest,
    files: dict[str, bytes],
    tokenizer: TextTokenizer,
    encoder: Encoder,
    texts: Sequence[Text] | None,
) -> Manifest:
    """The manifest with a monitoring reference, whose file is added to `files`; unchanged where it cannot have one.

    Args:
        manifest: without a reference.
        files: contents of the bundle's files by name.
        texts: the user's evaluation texts, else calibration texts; at most 4,096 are answered. None: there are none. Of
            them only counts reach the bundle: of labels, of scores by bin, of lengths by octave.
    """
    if not texts or manifest.task not in _TASKS:
        return manifest
    pairs = manifest.task == "question-answering"
    fitting = [t for t in texts if isinstance(t, tuple) == pairs or manifest.task in _EITHER][:_MOST]
    if not fitting:
        return manifest
    prepared = prepare(manifest, tokenizer, fitting, Wanted(truncate=True))
    outcomes = [outcome(p) for p in prepared.finish(encoder.forward(prepared.tokens))]
    labels = [o.labels for o in outcomes if o.labels is not None]
    scores = [o.score for o in outcomes if o.score is not None]
    lengths = [len(t) if isinstance(t, str) else len(t[0]) + len(t[1]) for t in fitting]
    files[NAME] = encode(build(labels, scores, lengths))
    entry = bundle.file_entry(NAME, files[NAME])
    listed = sorted([*manifest.files, entry], key=lambda file: file.name)
    return msgspec.structs.replace(manifest, reference=NAME, files=listed)


_TASKS = ("text-classification", "token-classification", "feature-extraction", "question-answering")
_EITHER = ("text-classification", "feature-extraction")
