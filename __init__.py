"""Cloister: private, fast inference for fine-tuned transformers.

This file holds what every part may use: the version and the one tree of errors. It imports nothing from the package.
"""

__version__ = "0.1.0"

__all__ = [
    "AuditError",
    "AuditLogError",
    "BundleError",
    "CloisterError",
    "DeadlineExceeded",
    "DriftError",
    "ExportError",
    "InputTooLong",
    "InvalidInput",
    "KeyFileError",
    "MethodNotAllowed",
    "MissingExtra",
    "ModelFailed",
    "NotFound",
    "OutputExists",
    "Overloaded",
    "ProviderError",
    "RequestError",
    "RequestTimeout",
    "RequestTooLarge",
    "SealError",
    "ServingError",
    "SettingsError",
    "SignatureInvalid",
    "StorageError",
    "Unauthorized",
    "Unavailable",
    "Unsupported",
    "UnsupportedMediaType",
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


class SealError(BundleError):
    """A sealed bundle cannot be used: damaged, changed, too old, of an unknown format, or for somebody else."""

    code = "seal_invalid"


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


class AuditError(ServingError):
    """The audit log cannot take a record; no answer leaves without one."""

    code = "audit_failed"


class RequestError(CloisterError):
    """An HTTP request that cannot be served as it is; its subclasses say why."""

    code = "bad_request"


class Unauthorized(RequestError):
    """No key, or not one that is known or allowed here."""

    code = "unauthorized"


class NotFound(RequestError):
    """No such route, model or bundle."""

    code = "not_found"


class MethodNotAllowed(RequestError):
    """The route exists, for another method."""

    code = "method_not_allowed"


class RequestTimeout(RequestError):
    """The client sent its request too slowly."""

    code = "request_timeout"


class RequestTooLarge(RequestError):
    """The body, or the number of texts in it, is over the limit."""

    code = "request_too_large"


class UnsupportedMediaType(RequestError):
    """The body is not in a format that the route reads."""

    code = "unsupported_media_type"


class Unsupported(RequestError):
    """Understood, and not possible with this model or these settings."""

    code = "unsupported"


class SettingsError(CloisterError):
    """A setting has a wrong type or value, is unknown, or contradicts another."""

    code = "settings_invalid"


class ExportError(CloisterError):
    """A model cannot be exported: no weights, an unknown architecture, a missing tokenizer."""

    code = "export_failed"


class DriftError(CloisterError):
    """Outputs differ from the reference by more than the limit that was set for them."""

    code = "drift"


class KeyFileError(CloisterError):
    """A key file cannot be used: not there, readable by others, truncated, or of another kind."""

    code = "key_invalid"


class SignatureInvalid(CloisterError):
    """A signature is missing, by another key, or does not hold for what it stands under."""

    code = "signature_invalid"


class AuditLogError(CloisterError):
    """An audit log, or a proof from one, cannot be read: not one, damaged, or of another format or origin."""

    code = "audit_log_invalid"
