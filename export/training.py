"""Models that are trained, and transformers' Trainer around them: batches, losses, checkpoints, progress."""

import json
import math
import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import (
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    DataCollatorForLanguageModeling,
    EarlyStoppingCallback,
    PreTrainedModel,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

from .. import ExportError
from ..runtime.processor import features as processor_features
from .features import IGNORED, Feature, Features, padded
from .loading import quiet
from .pooled import PooledClassifier
from .source import Base

Loss = Literal["classes", "flags", "numbers", "tokens"]
Advance = Callable[[float], object]
Measure = Callable[[Sequence[NDArray[np.float32]]], Mapping[str, float]]

_MASKED = 0.15
"""Share of tokens that are masked (Devlin et al., 2018)."""
_MOST_STEPS_BETWEEN_CHECKPOINTS = 1000


def seeded(seed: int) -> None:
    """Make everything that is drawn from here on the same each time."""
    set_seed(seed)


def classifier(base: Base, labels: Sequence[str], problem: str) -> nn.Module:
    """A classifier to train; one that pools as the base does where it is a sentence embedder."""
    _describe(base.config, labels, problem)
    if base.pooling is not None:
        encoder = _pretrained(AutoModel, base)
        return PooledClassifier(encoder, base.pooling, len(labels))
    return _pretrained(AutoModelForSequenceClassification, base)


def tagger(base: Base, labels: Sequence[str]) -> nn.Module:
    """A token classifier to train."""
    _describe(base.config, labels, None)
    return _pretrained(AutoModelForTokenClassification, base)


def masked_language_model(base: Base) -> nn.Module:
    """A masked language model: the base's own weights, or fresh ones where the folder has a config only."""
    if base.has_weights:
        return _pretrained(AutoModelForMaskedLM, base)
    auto: Any = AutoModelForMaskedLM
    if type(base.config) not in auto._model_mapping:
        raise _no_model(base)
    return cast(nn.Module, auto.from_config(base.config))


def _describe(config: Any, labels: Sequence[str], problem: str | None) -> None:
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: number for number, label in enumerate(labels)}
    config.problem_type = problem


def _no_model(base: Base) -> ExportError:
    return ExportError(
        f"model type {base.config.model_type} has no model for this task",
        hint="check --task and BASE",
        code="architecture_unsupported",
    )


def _pretrained(auto: Any, base: Base) -> PreTrainedModel:
    if type(base.config) not in auto._model_mapping:
        raise _no_model(base)
    with quiet():
        try:
            model = auto.from_pretrained(
                base.folder,
                config=base.config,
                dtype=torch.float32,
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                ignore_mismatched_sizes=True,
            )
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            raise ExportError(
                "the base model cannot be loaded", hint="load it with transformers to see why", code="model_unreadable"
            ) from error
    return cast(PreTrainedModel, model)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long and how fast: what `TrainingOptions` says, resolved for one run."""

    epochs: int
    learning_rate: float
    batch_size: int
    seed: int
    patience: int
    metric: str
    more_is_better: bool


@dataclass(frozen=True)
class Trained:
    """Outcome of a training: steps done, the step whose weights were kept, the step it went on from (0: the start)."""

    steps: int
    best_step: int
    resumed_from: int


class _Rows(torch.utils.data.Dataset[Feature]):
    def __init__(self, rows: Sequence[Feature]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Feature:
        return self._rows[index]


class _Progress(TrainerCallback):
    def __init__(self, advance: Advance | None) -> None:
        self._advance = advance

    def on_step_end(self, args: Any, state: Any, control: Any, **unused: Any) -> None:
        """Trainer's hook."""
        if self._advance is not None and state.max_steps:
            self._advance(state.global_step / state.max_steps)


class Training:
    """One model with its data, ready to be trained.

    Args:
        model: from one of the functions above.
        loss: what the targets are.
        weights: `[labels]`, how much each class counts; None for all the same.
        partial: labels that each target past the last label allows (see `Features.partial`).
        work: folder for checkpoints, which a later run goes on from.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Loss,
        schedule: Schedule,
        *,
        padding_id: int,
        work: Path,
        weights: Sequence[float] | None = None,
        partial: Sequence[Sequence[int]] = (),
    ) -> None:
        self.model = model
        self._loss = loss
        self._schedule = schedule
        self._padding_id = padding_id
        self._work = work
        self._weights = None if weights is None else torch.tensor(weights, dtype=torch.float32)
        self._partial = partial

    def run(
        self,
        train: Features,
        validation: Features | None,
        measure: Measure | None,
        *,
        collator: "Callable[[list[Feature]], dict[str, Tensor]] | None" = None,
        advance: Advance | None = None,
    ) -> Trained:
        """Train; go on from the last checkpoint in the work folder where there is one."""
        checkpoint = last_checkpoint(self._work)
        callbacks: list[TrainerCallback] = [_Progress(advance)]
        if validation is not None and self._schedule.patience:
            callbacks.append(EarlyStoppingCallback(self._schedule.patience))
        trainer = self._trainer(train, validation, measure, collator, callbacks)
        with quiet():
            trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
        best = trainer.state.best_global_step if validation is not None else None
        steps = trainer.state.global_step
        return Trained(steps, best or steps, 0 if checkpoint is None else int(checkpoint.name.rsplit("-", 1)[1]))

    def begin(self, rows: Sequence[Feature], *, most: int = 32) -> None:
        """Let a pooled classifier begin from at most so many examples of each class; other models stay as they are."""
        if not isinstance(self.model, PooledClassifier) or self._loss != "classes":
            return
        seen: Counter[int] = Counter()
        chosen = []
        for row in rows:
            seen[row["labels"]] += 1
            if seen[row["labels"]] <= most:
                chosen.append(row)
        chosen.sort(key=lambda row: len(row["input_ids"]))
        self.model.eval()
        vectors, classes = [], []
        for start in range(0, len(chosen), 64):
            batch = self._collate(chosen[start : start + 64])
            classes.append(batch.pop("labels"))
            with torch.no_grad():
                vectors.append(self.model.pooled(**batch))
        self.model.begin(torch.cat(vectors), torch.cat(classes))

    def predict(self, rows: Sequence[Feature], batch_size: int = 32) -> list[NDArray[np.float32]]:
        """Logits of each row, in float32, in order. Shape: `[labels]`, or `[n, labels]` for token targets."""
        order = np.argsort([len(row["input_ids"]) for row in rows], kind="stable")
        found: list[NDArray[np.float32]] = [np.empty(0, np.float32)] * len(rows)
        device = next(self.model.parameters()).device
        self.model.eval()
        for start in range(0, len(rows), batch_size):
            chosen = order[start : start + batch_size].tolist()
            batch = self._collate([{k: v for k, v in rows[i].items() if k != "labels"} for i in chosen])
            with torch.no_grad():
                outputs = self.model(**{name: tensor.to(device) for name, tensor in batch.items()})
            for i, logits in zip(chosen, outputs["logits"].float().cpu().numpy(), strict=True):
                found[i] = logits[: len(rows[i]["input_ids"])] if self._loss == "tokens" else logits
        return found

    def mean_loss(self, rows: Sequence[Feature], batch_size: int = 32) -> float:
        """Mean loss of token targets over all that count."""
        total, count = 0.0, 0
        device = next(self.model.parameters()).device
        self.model.eval()
        for start in range(0, len(rows), batch_size):
            batch = {k: v.to(device) for k, v in self._collate(list(rows[start : start + batch_size])).items()}
            targets = batch.pop("labels")
            with torch.no_grad():
                logits = self.model(**batch)["logits"]
            total += float(
                nn.functional.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), reduction="sum")
            )
            count += int((targets != IGNORED).sum())
        return total / max(count, 1)

    def _trainer(
        self,
        train: Features,
        validation: Features | None,
        measure: Measure | None,
        collator: Any,
        callbacks: list[TrainerCallback],
    ) -> Trainer:
        schedule = self._schedule
        per_epoch = math.ceil(len(train.rows) / schedule.batch_size)
        interval = min(per_epoch, _MOST_STEPS_BETWEEN_CHECKPOINTS)
        chooses = validation is not None
        arguments = TrainingArguments(
            output_dir=str(self._work),
            num_train_epochs=schedule.epochs,
            learning_rate=schedule.learning_rate,
            per_device_train_batch_size=schedule.batch_size,
            per_device_eval_batch_size=schedule.batch_size,
            warmup_steps=round(0.1 * per_epoch * schedule.epochs),
            weight_decay=0.01,
            seed=schedule.seed,
            bf16=_bfloat16(),
            use_cpu=not (torch.cuda.is_available() or torch.backends.mps.is_available()),
            train_sampling_strategy="group_by_length",
            eval_strategy="steps" if chooses else "no",
            eval_steps=interval,
            save_strategy="steps",
            save_steps=interval,
            save_total_limit=2,
            load_best_model_at_end=chooses,
            metric_for_best_model=schedule.metric if chooses else None,
            greater_is_better=schedule.more_is_better if chooses else None,
            prediction_loss_only=measure is None,
            remove_unused_columns=False,
            label_names=["labels"],
            report_to="none",
            disable_tqdm=True,
            logging_strategy="no",
            dataloader_pin_memory=False,
        )
        set_seed(schedule.seed)
        compute = None if measure is None else lambda p: dict(measure(list(_first(p.predictions))))
        trainer = Trainer(
            model=self.model,
            args=arguments,
            data_collator=collator or self._collate,
            train_dataset=_Rows(train.rows),
            eval_dataset=None if validation is None else _Rows(validation.rows),
            compute_loss_func=self._compute_loss,
            compute_metrics=compute,
            callbacks=callbacks,
        )
        from transformers.trainer_callback import PrinterCallback

        trainer.remove_callback(PrinterCallback)
        return trainer

    def _collate(self, rows: list[Feature]) -> dict[str, Tensor]:
        return {name: torch.from_numpy(array) for name, array in padded(rows, self._padding_id).items()}

    def _compute_loss(self, outputs: Any, labels: Tensor, num_items_in_batch: Any = None) -> Tensor:
        logits = outputs["logits"].float()
        weights = None if self._weights is None else self._weights.to(logits.device)
        match self._loss:
            case "classes":
                return nn.functional.cross_entropy(logits, labels, weight=weights)
            case "tokens" if self._partial:
                return partial_cross_entropy(logits.flatten(0, 1), labels.flatten(), self._partial, weights)
            case "tokens":
                return nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), weight=weights)
            case "flags":
                return nn.functional.binary_cross_entropy_with_logits(logits, labels, pos_weight=weights)
            case "numbers":
                return nn.functional.mse_loss(logits[:, 0], labels)


def partial_cross_entropy(
    logits: Tensor, targets: Tensor, partial: Sequence[Sequence[int]], weights: Tensor | None = None
) -> Tensor:
    """Mean cross-entropy where some targets allow several labels: of those the sum of the probabilities counts.

    The marginal likelihood of partial annotation (Tsuboi et al., COLING 2008), token by token.

    Args:
        targets: a label, `IGNORED`, or `labels + k` for what `partial[k]` allows.
        weights: `[labels]`; a target of several labels has the weight of its first one, which is O.

    Shape: logits `[n, labels]`, targets `[n]` -> scalar.
    """
    counted = targets != IGNORED
    logits, targets = logits[counted].float(), targets[counted]
    width = logits.shape[1]
    allowed = torch.full((width + len(partial), width), -torch.inf, device=logits.device)
    allowed.fill_diagonal_(0.0)
    for number, labels in enumerate(partial):
        allowed[width + number, list(labels)] = 0.0
    losses = logits.logsumexp(1) - (logits + allowed[targets]).logsumexp(1)
    if weights is None:
        return losses.mean()
    first = torch.tensor([*range(width), *(labels[0] for labels in partial)], device=logits.device)
    share = weights[first[targets]]
    return (losses * share).sum() / share.sum()


def _first(predictions: Any) -> NDArray[np.float32]:
    return np.asarray(predictions[0] if isinstance(predictions, tuple) else predictions, np.float32)


def _bfloat16() -> bool:
    """Whether matrix products in bfloat16 are fast here."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    if torch.backends.mps.is_available():
        return False
    return bool(processor_features() & {"avx512_bf16", "amx_bf16"})


def masking(base: Base, seed: int) -> Callable[[list[Feature]], dict[str, Tensor]]:
    """A collator that masks other tokens in each epoch."""
    collator: Any = DataCollatorForLanguageModeling(tokenizer=base.tokenizer, mlm_probability=_MASKED, seed=seed)
    return cast(Callable[[list[Feature]], dict[str, Tensor]], collator)


def masked_once(rows: Sequence[Feature], base: Base, seed: int) -> list[Feature]:
    """Rows with tokens masked for good, so that a figure on them does not depend on chance."""
    collator = masking(base, seed)
    made = []
    for row in rows:
        batch = collator([row])
        made.append({**row, "input_ids": batch["input_ids"][0].numpy(), "labels": batch["labels"][0].numpy()})
    return made


def last_checkpoint(work: Path) -> Path | None:
    """The newest checkpoint that is complete: the Trainer writes its state last."""
    found = []
    for path in work.glob("checkpoint-*"):
        try:
            step = int(path.name.rsplit("-", 1)[1])
            json.loads((path / "trainer_state.json").read_text("utf-8"))
        except (ValueError, OSError):
            shutil.rmtree(path, ignore_errors=True)  # a kill came in between
            continue
        found.append((step, path))
    return max(found)[1] if found else None


def save(model: nn.Module, base: Base, folder: Path, window: int) -> None:
    """Write the model folder that `cloister export` takes."""
    with quiet():
        if isinstance(model, PooledClassifier):
            model.save(folder, window)
        else:
            cast(PreTrainedModel, model).save_pretrained(folder)
        base.tokenizer.save_pretrained(os.fspath(folder))
