"""Labels of data and labels of a model: matched by name, never by position."""

from collections.abc import Sequence

from .. import InvalidInput
from .labelled import Labelled


def align(data: Labelled, labels: Sequence[str]) -> dict[str, int]:
    """Index in `labels` for each label that occurs in the data: by name, whatever the order.

    Names that differ in case, or in `-`, `_` and spaces, are the same when that leaves no doubt. For tagging pass
    entity labels, without the prefixes of a scheme (see `entity_labels`).

    Raises:
        InvalidInput: a label the model does not have. Nothing is ever mapped by position.
    """
    exact = {label: index for index, label in enumerate(labels)}
    loose: dict[str, list[int]] = {}
    for index, label in enumerate(labels):
        loose.setdefault(_folded(label), []).append(index)
    found: dict[str, int] = {}
    for example in data.examples:
        for label in example.names:
            candidates = [exact[label]] if label in exact else loose.get(_folded(label), [])
            if len(candidates) != 1:
                raise InvalidInput(
                    f"{data.name}, line {example.line}: a label that the model does not have",
                    hint=f"the model's labels are {_listed(labels)}: rename them in the data, or in the config",
                    code="labels_mismatch",
                )
            found[label] = candidates[0]
    if len(set(found.values())) != len(found):
        raise InvalidInput(
            f"{data.name} spells a label in two ways", hint="give each label one name", code="labels_mismatch"
        )
    return found


def entity_labels(labels: Sequence[str]) -> list[str]:
    """Entity labels of a tagger's labels: without O, and without the prefixes of BIO and its kin where all have one."""
    names = [label for label in labels if label != "O"]
    if all(len(n) > 2 and n[1] in "-_" and n[0] in "BIESLU" for n in names):
        names = [n[2:] for n in names]
    return list(dict.fromkeys(names))


def _folded(label: str) -> str:
    return " ".join(label.replace("_", " ").replace("-", " ").split()).casefold()


def _listed(labels: Sequence[str], most: int = 8) -> str:
    return ", ".join(labels[:most]) + (f" and {len(labels) - most} more" if len(labels) > most else "")
