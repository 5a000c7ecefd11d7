"""Proofs for strangers: that a record is in a log (C2SP `tlog-proof`), that a log only grew (`tlog-witness`).

Sources: https://c2sp.org/tlog-proof, https://c2sp.org/tlog-witness.
"""

import base64
from collections.abc import Iterable

from .reader import LogReader

PROOF_HEADER = b"c2sp.org/tlog-proof@v1"


def inclusion_proof(log: LogReader, index: int) -> bytes:
    """A self-contained proof that a record is in the log, with the record itself as its extra data.

    Raises:
        AuditLogError: there is no such record, or it was pruned.
    """
    head = [PROOF_HEADER, b"extra " + base64.b64encode(log.entry(index)), b"index %d" % index]
    return b"\n".join([*head, *_encoded(log.inclusion(index)), b"", log.note])


def witness_request(log: LogReader, old: int) -> bytes:
    """The body of `add-checkpoint`: proof that the log extends what a witness saw at `old` records, and the checkpoint.

    Raises:
        AuditLogError: the log has fewer records than that.
    """
    return b"\n".join([b"old %d" % old, *_encoded(log.consistency(old)), b"", log.note])


def _encoded(hashes: Iterable[bytes]) -> list[bytes]:
    return [base64.b64encode(value) for value in hashes]
