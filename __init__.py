"""Cloister: private, fast inference for fine-tuned transformers.

This file holds what every part may use: the version and the one tree of errors. It imports nothing from the package.
"""

__version__ = "0.1.0"

__all__ = [
    "BundleError",
    "CloisterError",
    "DeadlineExceeded",
    "DriftError",
    "ExportError",
    "InputTooLong",
    "InvalidInput",
    "MissingExtra",
    "ModelFailed",
    "OutputExists",
    "Overloaded",
    "ProviderError",
    "ServingError",
    "StorageError",
    "Unavailable",
    "WorkerDied",
    "__version__",
]


class CloisterError(Exception):
    """Root of everything Cloister raises on purpose.

    Attributes:
        code: short machine-readable name of the cause, stable across releases.
        message: one sentence that says what is wrong. It never contains text, tokens or keys of the user.
        hint: one sentence that says what to do about it.
    """

    code = "error"

    def __init__(self, message: str, *, hint: str, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})"


class InvalidInput(CloisterError):
    """What the caller passed cannot be processed: a wrong type, undecodable text, a malformed line."""

    code = "invalid_input"


class InputTooLong(InvalidInput):
    """A text is longer than the model's window and truncation was not asked for."""

    code = "input_too_long"


class MissingExtra(CloisterError):
    """An optional dependency is not installed; the hint names the extra that brings it."""

    code = "missing_extra"


class ProviderError(CloisterError):
    """The execution provider that was asked for cannot run this bundle on this machine."""

    code = "provider_unavailable"


class StorageError(CloisterError):
    """The operating system refused to read or write: disk full, no permission, not a folder."""

    code = "storage_failed"


class OutputExists(StorageError):
    """The output path exists already and was not to be replaced."""

    code = "output_exists"


class BundleError(CloisterError):
    """A bundle is damaged, incomplete, of an unknown format or not a bundle at all."""

    code = "bundle_invalid"


class ServingError(CloisterError):
    """A request was understood and could not be answered now."""

    code = "serving_failed"


class Overloaded(ServingError):
    """The queue or a limit is full; trying again later helps."""

    code = "overloaded"


class DeadlineExceeded(ServingError):
    """The request's deadline passed before its answer was there."""

    code = "deadline_exceeded"


class WorkerDied(ServingError):
    """The worker that ran the request died; it is replaced."""

    code = "worker_died"


class ModelFailed(ServingError):
    """The model raised an error while it ran this input alone."""

    code = "model_failed"


class Unavailable(ServingError):
    """Shutting down, or not ready: no new work is taken."""

    code = "unavailable"


class ExportError(CloisterError):
    """A model cannot be exported: no weights, an unknown architecture, a missing tokenizer."""

    code = "export_failed"


class DriftError(CloisterError):
    """Outputs differ from the reference by more than the limit that was set for them."""

    code = "drift"
