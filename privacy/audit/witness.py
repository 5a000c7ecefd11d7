"""A witness: cosigns a log's checkpoint after it has seen that the log only grew since the last time.

What it saw last is kept beside its key, by log, as C2SP `tlog-witness` wants; a cosignature says that the witness
knows of no other history (https://c2sp.org/tlog-witness, https://c2sp.org/tlog-cosignature).
"""

import contextlib
import fcntl
import json
from collections.abc import Iterator
from pathlib import Path

from ... import AuditLogError, StorageError
from ..keyfiles import read_secret_key
from ..notes import PublicKey, decode_base64
from ..storage import write_whole
from . import checkpoint
from .merkle import node_hash

_HINT = "give a checkpoint, or what `cloister audit checkpoint DIR --old N` prints"


def cosign(request: bytes, key_file: Path, log_key: PublicKey | None, seconds: int | None = None) -> bytes:
    """Check a checkpoint and cosign it.

    Args:
        request: a checkpoint, or the body of `add-checkpoint`: size seen last, proof of consistency, checkpoint.
        key_file: the witness's secret key. What it has seen is kept beside it, in `<key file>.seen`.
        log_key: the log's public key; None leaves the log's own signature to whoever checks the cosigned checkpoint.
        seconds: time of the cosignature since 1970; now unless given.

    Returns:
        The checkpoint with the cosignature added.

    Raises:
        AuditLogError: the log did not only grow since the witness saw it, or the proof of that is missing.
        SignatureInvalid: not signed by the log.
        KeyFileError, StorageError: key or state cannot be used.
    """
    key = read_secret_key(key_file)
    old, proof, note = _parts(request)
    head = checkpoint.parse(note) if log_key is None else checkpoint.opened(note, [log_key])
    if log_key is not None and head.origin != log_key.name:
        raise AuditLogError("the checkpoint is of another log than the key", hint="give the log's own public key")
    with _seen(key_file) as seen:
        size, root = seen.get(head.origin, (0, b""))
        if head.size < size:
            raise AuditLogError(
                f"the checkpoint covers {head.size} records, and {size} were seen before",
                hint="the log was cut or replaced: do not trust it",
                code="log_shrank",
            )
        if head.size == size and size and head.root != root:
            raise AuditLogError(
                "another tree of the same size was seen before", hint="the log was forked", code="log_forked"
            )
        if head.size > size > 0:
            if old != size:
                raise AuditLogError(
                    f"a proof from {size} records on is needed", hint=f"cloister audit checkpoint DIR --old {size}"
                )
            if not _is_consistent(size, head.size, root, head.root, proof):
                raise AuditLogError(
                    "the log is not an extension of the one seen before",
                    hint="its past was changed: do not trust it",
                    code="log_rebuilt",
                )
        seen[head.origin] = (head.size, head.root)
    return note + key.cosignature_line(head.text, seconds)


def _parts(request: bytes) -> tuple[int | None, list[bytes], bytes]:
    if not request.startswith(b"old "):
        return None, [], request
    lines, _, note = request.partition(b"\n\n")
    first, *rest = lines.split(b"\n")
    try:
        return int(first[4:]), [decode_base64(line) for line in rest], note
    except ValueError:
        raise AuditLogError("the proof of consistency is damaged", hint=_HINT) from None


def _is_consistent(old: int, new: int, old_root: bytes, new_root: bytes, proof: list[bytes]) -> bool:
    """RFC 9162, section 2.1.4.2; `0 < old < new`."""
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    if not path:
        return False
    before = after = path[0]
    for step in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            before, after = node_hash(step, before), node_hash(step, after)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            after = node_hash(after, step)
        node, last = node >> 1, last >> 1
    return last == 0 and before == old_root and after == new_root


@contextlib.contextmanager
def _seen(key_file: Path) -> Iterator[dict[str, tuple[int, bytes]]]:
    """What the witness saw of each log; written back, durably, when the block ends well. One process at a time."""
    path = key_file.with_name(key_file.name + ".seen")
    try:
        with open(path.with_name(path.name + ".lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            seen = _read(path)
            yield seen
            rows = {origin: [size, root.hex()] for origin, (size, root) in seen.items()}
            write_whole(path, json.dumps(rows).encode() + b"\n", mode=0o644, replace=True)
    except OSError as error:
        raise StorageError(
            f"cannot keep what the witness saw: {error.strerror}", hint="the folder of its key must be writable"
        ) from None


def _read(path: Path) -> dict[str, tuple[int, bytes]]:
    if not path.exists():
        return {}
    try:
        rows = json.loads(path.read_text("utf-8"))
        return {str(origin): (int(size), bytes.fromhex(root)) for origin, (size, root) in rows.items()}
    except (ValueError, TypeError, AttributeError):
        raise AuditLogError(
            "what the witness saw before cannot be read", hint=f"restore {path.name} from a backup"
        ) from None
