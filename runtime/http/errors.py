"""From error to HTTP status: one table."""

from ... import (
    AuditError,
    BundleError,
    CloisterError,
    DeadlineExceeded,
    InputTooLong,
    InvalidInput,
    MethodNotAllowed,
    MissingExtra,
    ModelFailed,
    NotFound,
    Overloaded,
    ProviderError,
    RequestError,
    RequestTimeout,
    RequestTooLarge,
    ServingError,
    SignatureInvalid,
    StorageError,
    Unauthorized,
    Unavailable,
    Unsupported,
    UnsupportedMediaType,
    WorkerDied,
)
from ...privacy.scan import RedactionError
from .bodies import ErrorAnswer, ErrorFields, encode

STATUS: dict[type[CloisterError], int] = {
    InvalidInput: 400,
    InputTooLong: 413,
    RequestError: 400,
    Unauthorized: 401,
    NotFound: 404,
    MethodNotAllowed: 405,
    RequestTimeout: 408,
    RequestTooLarge: 413,
    UnsupportedMediaType: 415,
    Unsupported: 422,
    BundleError: 422,
    ProviderError: 422,
    MissingExtra: 422,
    SignatureInvalid: 422,
    StorageError: 422,
    Overloaded: 429,
    ServingError: 500,
    ModelFailed: 500,
    WorkerDied: 503,
    Unavailable: 503,
    RedactionError: 503,
    AuditError: 503,
    DeadlineExceeded: 504,
}


def status_of(error: CloisterError) -> int:
    """The status of an error: that of the nearest class in the table; 500 where there is none."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def error_body(error: CloisterError) -> bytes:
    """The body of an error."""
    return encode(ErrorAnswer(ErrorFields(error.code, error.message, error.hint)))
