"""Proofs for strangers and cosignatures of witnesses, checked by code that never saw the log."""

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloister import AuditLogError, SignatureInvalid
from cloister.privacy.audit import AuditLog, Request, checkpoint
from cloister.privacy.audit.check_notes import read_key
from cloister.privacy.audit.check_proof import check_proof
from cloister.privacy.audit.proof import inclusion_proof, witness_request
from cloister.privacy.audit.reader import LogReader
from cloister.privacy.audit.witness import cosign
from cloister.privacy.keyfiles import write_key_pair
from cloister.privacy.notes import verified

from .test_check import KEY, OTHER, WITNESS, made, rebuild, record
from .test_merkle import by_definition

KEYS = [read_key(KEY.public.line)]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> LogReader:
    folder = tmp_path_factory.mktemp("proof") / "log"
    made(folder, 700)
    return LogReader(folder)


@pytest.mark.parametrize("index", [0, 1, 255, 256, 511, 512, 698, 699])
def test_a_proof_holds_and_has_the_record_in_it(log: LogReader, index: int) -> None:
    proof = inclusion_proof(log, index)
    proven = check_proof(proof, KEYS)
    assert (proven.index, proven.record) == (index, record(index))
    assert (proven.head.size, proven.head.root) == (700, by_definition([record(i) for i in range(700)]))
    assert proof.startswith(b"c2sp.org/tlog-proof@v1\nextra ")
    without = b"\n".join(line for line in proof.split(b"\n") if not line.startswith(b"extra "))
    assert check_proof(without, KEYS, record(index)).record == record(index)
    with pytest.raises(AuditLogError):
        check_proof(without, KEYS)
    with pytest.raises(AuditLogError):
        check_proof(proof, KEYS, record(index + 1))


def test_a_proof_of_a_request_is_at_most_two_kilobytes(tmp_path: Path) -> None:
    digest = "ab" * 32
    with AuditLog(tmp_path, KEY) as log:
        event = Request(
            "0123456789abcdef", "/v1/classify", "a", "minilm", digest, digest, {"PHONE_NUMBER": 1}, 17, seconds=0.01
        )
        for _ in range(1000):
            future = log.submit(event)
        index = future.result()
    assert len(inclusion_proof(LogReader(tmp_path), index)) <= 2048


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_no_changed_proof_holds(log: LogReader, data: st.DataObject) -> None:
    proof = bytearray(inclusion_proof(log, data.draw(st.integers(0, 699))))
    at = data.draw(st.integers(0, len(proof) - 1))
    proof[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises((AuditLogError, SignatureInvalid)):
        check_proof(bytes(proof), KEYS)


def test_proofs_by_others_and_rubbish_are_refused(log: LogReader) -> None:
    proof = inclusion_proof(log, 3)
    with pytest.raises(SignatureInvalid):
        check_proof(proof, [read_key(OTHER.public.line)])
    for rubbish in (b"", b"c2sp.org/tlog-proof@v1\n", proof[:100], proof.replace(b"index 3", b"index 03"), log.note):
        with pytest.raises((AuditLogError, SignatureInvalid)):
            check_proof(rubbish, KEYS)
    with pytest.raises(AuditLogError, match="no record of that number"):
        inclusion_proof(log, 700)


def test_roots_of_every_size_come_from_tiles(log: LogReader) -> None:
    records = [record(i) for i in range(700)]
    for size in (0, 1, 255, 256, 257, 512, 699, 700):
        assert log.root(size) == by_definition(records[:size])


def witness_key(folder: Path) -> Path:
    write_key_pair(folder / "witness.key", folder / "witness.pub", WITNESS)
    return folder / "witness.key"


def test_a_witness_cosigns_a_log_that_grows(tmp_path: Path) -> None:
    key = witness_key(tmp_path)
    first = made(tmp_path / "small", 300)
    cosigned = cosign(first, key, KEY.public, 1_800_000_000)
    assert verified(cosigned, [KEY.public, WITNESS.public.cosigner])[1] == [KEY.public, WITNESS.public.cosigner]
    assert cosign(first, key, KEY.public, 1_800_000_001) != cosigned  # the same head again, at a later time
    made(tmp_path / "large", 700)
    larger = LogReader(tmp_path / "large")
    with pytest.raises(AuditLogError, match="proof from 300"):
        cosign(larger.note, key, KEY.public)
    request = witness_request(larger, 300)
    assert request.startswith(b"old 300\n")
    assert verified(cosign(request, key, KEY.public), [WITNESS.public.cosigner])
    with pytest.raises(AuditLogError, match="700 were seen before"):
        cosign(first, key, KEY.public)
    seen = json.loads((tmp_path / "witness.key.seen").read_text())
    assert seen == {KEY.name: [700, larger.head.root.hex()]}


def test_a_witness_refuses_forks_rebuilds_and_strangers(tmp_path: Path) -> None:
    key = witness_key(tmp_path)
    cosign(made(tmp_path / "log", 300), key, KEY.public)
    forked: dict[str, bytes] = {}
    rebuild(forked, [record(i, "other" if i == 7 else "") for i in range(300)])
    with pytest.raises(AuditLogError) as raised:
        cosign(forked["checkpoint"], key, KEY.public)
    assert raised.value.code == "log_forked"
    files: dict[str, bytes] = {}
    rebuild(files, [record(i, "other" if i == 7 else "") for i in range(400)])
    for name, data in files.items():
        (tmp_path / "rebuilt" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "rebuilt" / name).write_bytes(data)
    with pytest.raises(AuditLogError) as raised:
        cosign(witness_request(LogReader(tmp_path / "rebuilt"), 300), key, KEY.public)
    assert raised.value.code == "log_rebuilt"
    with pytest.raises(SignatureInvalid):
        cosign(checkpoint.sign(OTHER, 500, bytes(32)), key, KEY.public)
    before = (tmp_path / "witness.key.seen").read_bytes()
    for rubbish in (b"", b"old x\n\n", b"old 300\n!!\n\nrest", b"rubbish\n"):
        with pytest.raises((AuditLogError, SignatureInvalid)):
            cosign(rubbish, key, KEY.public)
    assert (tmp_path / "witness.key.seen").read_bytes() == before
    (tmp_path / "witness.key.seen").write_text("[damaged")
    with pytest.raises(AuditLogError, match="cannot be read"):
        cosign(made(tmp_path / "other", 301), key, KEY.public)


def test_base64_has_one_spelling(log: LogReader) -> None:
    proof = inclusion_proof(log, 5)
    step = proof.split(b"\n")[3]
    other = base64.b64encode(base64.b64decode(step)).replace(step[-2:], bytes([step[-2] + 1]) + b"=")
    assert base64.b64decode(other) == base64.b64decode(step)
    with pytest.raises(AuditLogError):
        check_proof(proof.replace(step, other), KEYS)


def test_a_proof_is_plain_base64_lines(log: LogReader) -> None:
    head, extra, index, *path = inclusion_proof(log, 5).partition(b"\n\n")[0].split(b"\n")
    assert (head, index) == (b"c2sp.org/tlog-proof@v1", b"index 5")
    assert base64.b64decode(extra.removeprefix(b"extra ")) == record(5)
    assert all(len(base64.b64decode(step)) == 32 for step in path)
