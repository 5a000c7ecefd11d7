"""What a user may settle about a task's answers when a model is exported; it stands in the bundle's manifest."""

from collections.abc import Mapping
from dataclasses import dataclass

from .. import ExportError, InvalidInput
from ..runtime.manifest import Problem, ZeroShot
from .source import Source

TEMPLATE = "This example is {}."
"""The hypothesis unless another is given, as in transformers' zero-shot pipeline."""


@dataclass(frozen=True)
class HeadOptions:
    """Settings of a task's answers.

    Attributes:
        threshold: least probability of a multi-label model's labels; one for all, or by label (others keep 0.5).
        template: hypothesis of zero-shot classification, with `{}` where the label goes.
        multi_label: zero-shot classification lets several labels fit.
    """

    threshold: float | Mapping[str, float] | None = None
    template: str | None = None
    multi_label: bool = False


@dataclass(frozen=True)
class Settled:
    """The manifest's fields that follow."""

    problem: Problem | None
    thresholds: list[float] | None
    zero_shot: ZeroShot | None


def settle(options: HeadOptions, source: Source) -> Settled:
    """Check options against a model.

    Raises:
        InvalidInput: an option that the task has no use for, an unknown label, a threshold outside 0 to 1, a template
            without exactly one `{}`.
        ExportError: zero-shot classification with a model whose labels do not name entailment (or, where several labels
            may fit, contradiction).
    """
    is_zero_shot = source.task == "zero-shot-classification"
    if (options.template is not None or options.multi_label) and not is_zero_shot:
        raise InvalidInput(
            "a hypothesis template and multi_label are for zero-shot classification",
            hint="pass --task zero-shot-classification with a model of textual entailment",
        )
    if not is_zero_shot:
        return Settled(source.problem, _thresholds(options.threshold, source), None)
    if options.threshold is not None:
        raise InvalidInput("thresholds are for multi-label classification", hint="leave --threshold out")
    template = TEMPLATE if options.template is None else options.template
    if template.count("{}") != 1:
        raise InvalidInput(
            "the hypothesis template has not exactly one {}", hint='for example "This text is about {}."'
        )
    problem: Problem = "multi_label" if options.multi_label else "single_label"
    return Settled(problem, None, _entailment(source, template, several=options.multi_label))


def _thresholds(given: float | Mapping[str, float] | None, source: Source) -> list[float] | None:
    if given is None:
        return None
    if source.problem != "multi_label":
        raise InvalidInput(
            "thresholds are for multi-label classification",
            hint='the model\'s config says otherwise: "problem_type": "multi_label_classification"',
        )
    by_label = dict.fromkeys(source.labels, given) if isinstance(given, int | float) else dict(given)
    if not by_label.keys() <= set(source.labels):
        raise InvalidInput("a threshold is for a label that the model has not", hint="see id2label in its config.json")
    if not all(0 <= value <= 1 for value in by_label.values()):
        raise InvalidInput("a threshold is not between 0 and 1", hint="it is a probability")
    return [float(by_label.get(label, 0.5)) for label in source.labels]


def _entailment(source: Source, template: str, *, several: bool) -> ZeroShot:
    names = [label.lower() for label in source.labels]
    entailment = [i for i, name in enumerate(names) if name.startswith("entail")]
    contradiction = [i for i, name in enumerate(names) if name.startswith("contra")]
    if len(names) == 2:  # entailment or not: "not" is what contradicts
        contradiction = [i for i in range(2) if i not in entailment]
    if len(entailment) != 1 or (several and len(contradiction) != 1):
        raise ExportError(
            "the model's labels do not name entailment and contradiction",
            hint="zero-shot classification needs a model of textual entailment; name its labels in id2label",
            code="labels_mismatch",
        )
    return ZeroShot(
        template=template, entailment=entailment[0], contradiction=contradiction[0] if len(contradiction) == 1 else None
    )
