"""What a process that holds secrets does for itself."""

import ctypes
import sys

_PR_SET_DUMPABLE = 4
_SECRETS = ("AGE-SECRET-KEY-", "PRIVATE+KEY+")


def is_secret(source: str) -> bool:
    """Whether a text is a secret key itself, where a file, `env:NAME` or `fd:N` should say where to find one.

    Arguments and settings are seen by others and get printed, so such a text is refused and never repeated.
    """
    return source.strip().upper().startswith(_SECRETS)


def forbid_core_dumps() -> None:
    """No core file of this process from here on, and of none that it starts.

    The limit RLIMIT_CORE goes to 0. On Linux the process is also marked as not dumpable, which covers a core pattern
    that is a pipe (the limit does not) and keeps other processes of the same user from reading its memory; root still
    can. A system without either is left as it is.
    """
    try:
        import resource
    except ModuleNotFoundError:  # Windows writes no core files
        return
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
