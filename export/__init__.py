"""From data or a model to a bundle: the only place for torch, transformers, optimum and onnx, imported lazily."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .contract import Contract as Contract
    from .few_shot import FewShotReport as FewShotReport
    from .few_shot import fewshot as fewshot
    from .fine_tune import FineTuneReport as FineTuneReport
    from .fine_tune import finetune as finetune
    from .head import HeadOptions as HeadOptions
    from .options import TrainingOptions as TrainingOptions
    from .pipeline import export as export
    from .result import Report as Report

# torch and transformers take seconds to import: a command that never exports must not pay for them.
_HOMES = {
    "Contract": "contract",
    "FewShotReport": "few_shot",
    "FineTuneReport": "fine_tune",
    "HeadOptions": "head",
    "Report": "result",
    "TrainingOptions": "options",
    "export": "pipeline",
    "fewshot": "few_shot",
    "finetune": "fine_tune",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .. import MissingExtra

    try:
        return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("cloister"):
            raise
        raise MissingExtra(f"{error.name} is not installed", hint="pip install 'cloister[export]'") from error
