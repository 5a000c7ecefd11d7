"""From a fine-tuned model to a bundle: the only place for torch, transformers, optimum and onnx, imported lazily."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .contract import Contract
    from .pipeline import Report, export

__all__ = ["Contract", "Report", "export"]


def __getattr__(name: str) -> Any:
    # torch and transformers take seconds to import: a command that never exports must not pay for them.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .. import MissingExtra

    try:
        from . import pipeline
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("cloister"):
            raise
        raise MissingExtra(f"{error.name} is not installed", hint="pip install 'cloister[export]'") from error
    return getattr(pipeline, name)
