"""How much quality a bundle may lose on the user's data, and the few layers that return to float so that it does not.

The source model in PyTorch and each variant answer the same labelled examples. Where an integer variant loses more than
the budget, its layers are ranked by the relative error that quantization leaves in each of them, known from one pass of
float activations, and then

1. every row takes its own step, and every layer the smoothing with the least error, whatever they cost in speed;
2. the layers with the largest error return to float: 1, 2, 4, … of them until the budget is kept and the outputs are
   within the limits of the precision, at most half;
3. the number is bisected, and each of them that turns out not to be needed goes back to integers.

The point estimate decides. Beside it stands an interval by paired bootstrap, and whether the data could show so small a
loss at all.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .. import DriftError, InvalidInput
from ..runtime.manifest import Manifest
from ..runtime.measured import Accuracy
from ..runtime.packing import Tokens
from ..runtime.tokens import TextTokenizer
from . import metrics, parity
from .evaluate import Answers, Evaluation, evaluation
from .labelled import Labelled
from .scales import Choice
from .source import Source
from .steps import Step
from .variants import Draft, Drafts

Gate = Callable[[Draft], None]

_MOST_RETURNED = 8
"""Layers that are tried in integers again, one by one, after the number of float layers was bisected."""


@dataclass(frozen=True, repr=False)
class Contract:
    """Labelled data, and what may be lost on it.

    Attributes:
        data: examples as `read_labelled` reads them; none of them, nor a digest, enters the bundle.
        max_drop: largest loss of the metric against the source model, in its own units (0.003 is 0.3 points); None
            to measure without judging.
        max_flips: largest share of examples whose answer may differ from the source model's, None for any.
        metric: `accuracy` or `macro-f1`; several labels `micro-f1` or `macro-f1`; tagging `entity-f1`; scores
            `spearman`; question answering `exact-match` or `token-f1`. None takes the first that fits the task.
    """

    data: Labelled
    max_drop: float | None = None
    max_flips: float | None = None
    metric: str | None = None


@dataclass(frozen=True)
class Layer:
    """One group of linear layers in the report: how it runs, and the relative error quantization leaves in it.

    `step` is the activations', None where each row has its own.
    """

    name: str
    error: float
    strength: float
    zero_point: int
    in_float: bool
    step: float | None


@dataclass(frozen=True)
class Trial:
    """One set of float layers that was measured."""

    float_layers: int
    strengths: str
    score: float
    drop: float
    flips: float | None
    kept: bool


@dataclass(frozen=True, repr=False)
class Kept:
    """A variant that keeps the contract: its graph, its figures, its layers, and what was tried on the way."""

    draft: Draft
    accuracy: Accuracy
    layers: list[Layer]
    trials: list[Trial]


@dataclass(repr=False)
class Court:
    """A contract made ready for one model: data in tokens, and the source model's answers once they are measured."""

    contract: Contract
    evaluation: Evaluation
    source: Answers | None = None
    source_score: float = math.nan
    _rows: "np.ndarray[tuple[int], np.dtype[np.intp]]" = field(default_factory=lambda: np.empty(0, np.intp))

    def measure_source(self, source: Source, advance: object) -> None:
        """Answer every example with the source model, one text at a time; `advance` is what a step yields."""
        self._rows = np.arange(self.evaluation.examples)
        tokens = self.evaluation.prepared.tokens
        outputs = []
        for number, one in enumerate(tokens):
            outputs.append(parity.forward(source, one))
            if callable(advance):
                advance((number + 1) / len(tokens))
        self.source, self.source_score = self._judged(outputs)

    def _judged(self, outputs: Sequence[Any]) -> tuple[Answers, float]:
        answers = self.evaluation.answers(self.evaluation.prepared.finish(outputs))
        return answers, self.evaluation.score(answers.table, self._rows)

    def measure(self, forward: Callable[[Sequence[Tokens]], Sequence[Any]]) -> tuple[Answers, Trial]:
        """Answer every example with a variant; the figures are in the trial, whose layers the caller fills in."""
        answers, score = self._judged(forward(self.evaluation.prepared.tokens))
        flips = self._flips(answers)
        drop = self.source_score - score
        return answers, Trial(0, "", score, drop, flips, self._excess(drop, flips) <= 0)

    def _flips(self, answers: Answers) -> float | None:
        if self.source is None:
            raise ValueError("the source model was not measured")
        if answers.identity is None or self.source.identity is None:
            return None
        return metrics.flips(self.source.identity, answers.identity) / self.evaluation.examples

    def _excess(self, drop: float, flips: float | None) -> float:
        """How far outside of the budget, 0 or less when inside; a nan drop is outside."""
        over = [0.0]
        if self.contract.max_drop is not None:
            # Both scores are sums of floats: a loss of exactly the budget must not fail by its last bit.
            over.append(drop - self.contract.max_drop - 1e-9 if drop == drop else math.inf)
        if self.contract.max_flips is not None and flips is not None:
            over.append(flips - self.contract.max_flips - 1e-9)
        return max(over)

    def excess(self, trial: Trial) -> float:
        """How far outside of the budget a trial is, 0 or less when inside."""
        return self._excess(trial.drop, trial.flips)

    def accuracy(self, answers: Answers, trial: Trial, float_layers: list[str]) -> Accuracy:
        """The figures for the bundle, with their intervals."""
        judged, source = self.evaluation, self.source
        if source is None:
            raise ValueError("the source model was not measured")
        drop = metrics.paired_interval(
            lambda rows: judged.score(answers.table, rows),
            lambda rows: judged.score(source.table, rows),
            judged.examples,
        )
        flips = None
        if answers.identity is not None and source.identity is not None:
            changed = np.array([a != b for a, b in zip(source.identity, answers.identity, strict=True)], np.float64)
            found = metrics.paired_interval(lambda rows: 0.0, lambda rows: float(changed[rows].mean()), judged.examples)
            flips = found.low, found.high
        # Where nothing changed the bootstrap sees no spread; 3 / n bounds what could still have been missed at 95%.
        resolution = max((drop.high - drop.low) / 2, 3 / judged.examples)
        budgets = [b for b in (self.contract.max_drop, self.contract.max_flips) if b is not None]
        return Accuracy(
            metric=judged.metric,
            examples=judged.examples,
            source=self.source_score,
            score=trial.score,
            drop=trial.drop,
            drop_interval=(drop.low, drop.high),
            flips=trial.flips,
            flips_interval=flips,
            max_drop=self.contract.max_drop,
            max_flips=self.contract.max_flips,
            float_layers=float_layers,
            resolved=all(resolution <= budget for budget in budgets),
        )


def prepare(contract: Contract, manifest: Manifest, tokenizer: TextTokenizer) -> Court:
    """Check budgets and data against the model, before the long work starts.

    Raises:
        InvalidInput: a budget that is not between 0 and 1, flips where answers are numbers, or data that does not fit.
    """
    for name, budget in (("max_drop", contract.max_drop), ("max_flips", contract.max_flips)):
        if budget is not None and not 0 <= budget <= 1:
            raise InvalidInput(f"{name} is not between 0 and 1", hint="0.003 allows to lose 0.3 points of 100")
    if contract.max_flips is not None and contract.data.kind == "regression":
        raise InvalidInput("scores do not flip: they are numbers", hint="leave out --max-flips, and use --max-drop")
    return Court(contract, evaluation(contract.data, manifest, tokenizer, contract.metric))


def keep(court: Court, drafts: Drafts, draft: Draft, choices: Sequence[Choice], step: Step, gate: Gate) -> Kept:
    """Measure a variant, and where it is over the budget, or drifts from the model, find the layers to return to float.

    Args:
        draft: the variant as it is without a contract.
        choices: how its layers are quantized; empty for the float precisions, which are measured and judged only.
        gate: raises DriftError for a variant whose outputs are not those of the source model.

    Raises:
        DriftError: no set of at most half of the layers in float keeps the contract; the message says what was closest.
    """
    return _Search(court, drafts, draft.precision, step, gate).run(draft, choices)


class _Search:
    def __init__(self, court: Court, drafts: Drafts, precision: Any, step: Step, gate: Gate) -> None:
        self._court = court
        self._drafts = drafts
        self._precision = precision
        self._step = step
        self._gate = gate
        self._drift: DriftError | None = None
        self._trials: list[Trial] = []
        self._strengths = "least cost"
        self._known: dict[frozenset[int], bool] = {}
        self._last: tuple[frozenset[int], tuple[Draft, Answers, Trial]] | None = None

    def run(self, draft: Draft, choices: Sequence[Choice]) -> Kept:
        """The whole search, see the module's docstring."""
        answers, trial = self._measured(draft, 0)
        if trial.kept:
            return self._kept(draft, answers, trial, choices, set())
        if not choices:
            raise self._failed(0)
        if self._precision == "int8":  # int4 has nothing to choose
            choices, self._strengths = self._drafts.plan("int8", least_error=True), "least error"
            draft, answers, trial = self._with(choices, set())
            if trial.kept:
                return self._kept(draft, answers, trial, choices, set())
        order = np.argsort([-c.error for c in choices], kind="stable").tolist()
        floats = self._fewest(choices, order, self._enough(choices, order))
        return self._kept(*self._with(choices, floats), choices, floats)

    def _enough(self, choices: Sequence[Choice], order: list[int]) -> set[int]:
        most, count = max(1, len(order) // 2), 1
        while not self._holds(choices, set(order[:count])):
            if count == most:
                raise self._failed(len(order))
            count = min(2 * count, most)
        return set(order[:count])

    def _fewest(self, choices: Sequence[Choice], order: list[int], floats: set[int]) -> set[int]:
        low, high = len(floats) // 2, len(floats)  # low did not keep it, high does
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._holds(choices, set(order[:middle])) else (middle, high)
        floats = set(order[:high])
        for layer in order[:high][::-1][:_MOST_RETURNED]:
            if len(floats) > 1 and self._holds(choices, floats - {layer}):
                floats = floats - {layer}
        return floats

    def _holds(self, choices: Sequence[Choice], floats: set[int]) -> bool:
        """Whether the contract is kept with these layers in float; no set is measured twice."""
        key = frozenset(floats)
        if key not in self._known:
            self._known[key] = self._with(choices, floats)[2].kept
        return self._known[key]

    def _with(self, choices: Sequence[Choice], floats: Iterable[int]) -> tuple[Draft, Answers, Trial]:
        left = frozenset(floats)
        if self._last is None or self._last[0] != left:
            mixed = [None if n in left else choice for n, choice in enumerate(choices)]
            draft = self._drafts.draft(self._precision, mixed)
            self._last = left, (draft, *self._measured(draft, len(left)))
        return self._last[1]

    def _measured(self, draft: Draft, floats: int) -> tuple[Answers, Trial]:
        what = f"Measuring {draft.precision}" + (f" with {floats} layers in float" if floats else "")
        with self._step(what):
            answers, trial = self._court.measure(self._drafts.encoder(draft).forward)
            if trial.kept:
                try:
                    self._gate(draft)
                except DriftError as error:
                    self._drift, trial = error, replace(trial, kept=False)
        trial = replace(trial, float_layers=floats, strengths=self._strengths)
        self._trials.append(trial)
        return answers, trial

    def _kept(self, draft: Draft, answers: Answers, trial: Trial, choices: Sequence[Choice], floats: set[int]) -> Kept:
        names = self._drafts.names if choices else []
        layers = [
            Layer(name, choice.error, choice.strength, choice.zero, number in floats, choice.step)
            for number, (name, choice) in enumerate(zip(names, choices, strict=True))
        ]
        accuracy = self._court.accuracy(answers, trial, [layer.name for layer in layers if layer.in_float])
        return Kept(draft, accuracy, layers, self._trials)

    def _failed(self, layers: int) -> DriftError:
        best = min(self._trials, key=self._court.excess)
        if self._drift is not None and self._court.excess(best) <= 0:
            return self._drift
        contract = self._court.contract
        figures = [f"{self._court.evaluation.metric} drops by {best.drop:.4f}"]
        if contract.max_drop is not None:
            figures[0] += f" (allowed {contract.max_drop})"
        if best.flips is not None:
            allowed = "" if contract.max_flips is None else f" (allowed {contract.max_flips})"
            figures.append(f"{best.flips:.2%} of the answers flip{allowed}")
        where = f" with {best.float_layers} of {layers} layers in float" if layers else ""
        return DriftError(
            f"{self._precision} does not keep the contract: at best {' and '.join(figures)}{where}",
            hint="allow more, calibrate with texts of your domain (--calibration), or export with --precision fp32",
            code="contract_failed",
        )
