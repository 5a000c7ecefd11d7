"""Examples held out of a file: always the same ones for the same file and seed, and never a text on both sides."""

from collections.abc import Sequence

import numpy as np

from .labelled import Example, Labelled, Text

MOST_HELD = 2000
"""Most examples that are held out, however large the file: enough to tell half a percent."""


def hold_out(data: Labelled, share: float, seed: int) -> tuple[Labelled, Labelled]:
    """Split data into what is kept and what is held out.

    Every label keeps its share, and at least one example on the kept side. Examples of the same text stay together.

    Args:
        share: of the examples, 0 to 0.5; at most `MOST_HELD` are held out.
    """
    random = np.random.default_rng(seed)
    wanted = min(round(share * len(data.examples)), MOST_HELD)
    by_text: dict[Text, list[Example]] = {}
    for example in data.examples:
        by_text.setdefault(example.input, []).append(example)
    strata: dict[tuple[str, ...], list[Text]] = {}
    for text, examples in by_text.items():
        strata.setdefault(examples[0].labels, []).append(text)
    queue: list[tuple[float, Text]] = []
    for texts in strata.values():
        order = random.permutation(len(texts))
        # The i-th of n texts of a label is due at (i + ½) / n: taking the queue from its start takes from every label
        # in proportion. The last text of a label is never due.
        queue.extend(((i + 0.5) / len(texts), texts[j]) for i, j in enumerate(order[: len(texts) - 1]))
    queue.sort(key=lambda item: item[0])
    held: set[Text] = set()
    count = 0
    for _, text in queue:
        if count >= wanted:
            break
        held.add(text)
        count += len(by_text[text])
    return (
        data.subset(e for e in data.examples if e.input not in held),
        data.subset(e for e in data.examples if e.input in held),
    )


def overlap(data: Labelled, other: Labelled) -> int:
    """How many texts of `other` occur in `data` too."""
    known = set(data.inputs)
    return sum(text in known for text in other.inputs)


def hold_out_texts(texts: Sequence[str], share: float, seed: int) -> tuple[list[str], list[str]]:
    """The same for texts without labels; repeated texts are taken once."""
    distinct = list(dict.fromkeys(texts))
    order = np.random.default_rng(seed).permutation(len(distinct))
    held = set(order[: min(round(share * len(distinct)), MOST_HELD)].tolist())
    return (
        [text for i, text in enumerate(distinct) if i not in held],
        [text for i, text in enumerate(distinct) if i in held],
    )
