"""How to train."""

from dataclasses import dataclass

from .. import InvalidInput


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """How to train.

    Attributes:
        epochs: passes over the data; with patience the most.
        learning_rate: highest rate, reached after a tenth of the steps and then falling to zero. None takes 2e-4 for
            models of up to 384 hidden dimensions, which small models need, and 5e-5 for larger ones.
        batch_size: examples a step.
        seed: of everything random: the split, the new layers, the order, dropout, masks.
        patience: stop after so many evaluations without a gain, and keep the best weights. 0 trains to the end and
            needs no validation data.
        balanced: let each class weigh the same, whatever its number of examples.
        held_out: share of the data that is kept out for the report where no evaluation file is given.
    """

    epochs: int = 3
    learning_rate: float | None = None
    batch_size: int = 32
    seed: int = 0
    patience: int = 0
    balanced: bool = False
    held_out: float = 0.1

    def __post_init__(self) -> None:
        rate = self.learning_rate
        wrong = [
            self.epochs < 1,
            self.batch_size < 1,
            self.patience < 0,
            self.seed < 0,
            not 0 <= self.held_out <= 0.5,
            rate is not None and not 0 < rate < 1,
        ]
        if any(wrong):
            raise InvalidInput(
                "a training option is out of its range",
                hint="epochs and batch size from 1, patience and seed from 0, held-out share 0 to 0.5, rate 0 to 1",
            )
