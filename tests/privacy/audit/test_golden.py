"""The golden log of format version 1 stays readable, checkable and writable, and what must go wrong with it is data."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from cloister.privacy.audit import AuditLog, Summary
from cloister.privacy.audit.check import verify
from cloister.privacy.audit.check_notes import read_key
from cloister.privacy.audit.check_proof import check_proof
from cloister.privacy.audit.keys import Digests, PeriodKeys, period_of
from cloister.privacy.audit.proof import inclusion_proof
from cloister.privacy.audit.reader import LogReader, parsed
from cloister.privacy.audit.storage import Disk
from cloister.privacy.notes import SecretKey

DATA = Path(__file__).resolve().parents[2] / "data"
GOLDEN = DATA / "audit_v1"
KEPT = (DATA / "audit_v1.checkpoint").read_bytes()
EXPECTED: dict[str, Any] = json.loads((DATA / "audit_v1.json").read_text())
KEYS = [read_key(EXPECTED["public_key"])]


def test_it_verifies_and_says_what_it_said() -> None:
    verdict = verify(GOLDEN, KEYS, [KEPT])
    assert verdict.problems == []
    assert (verdict.entries, verdict.root.hex()) == (EXPECTED["entries"], EXPECTED["root"])
    assert verdict.anchored_to[0].entries == EXPECTED["entries"]
    records = dict(parsed(LogReader(GOLDEN)))
    for index, record in EXPECTED["records"].items():
        assert records[int(index)] == record


def test_its_digests_are_those_of_its_contents() -> None:
    keys = PeriodKeys(Disk(GOLDEN))
    for index, event in parsed(LogReader(GOLDEN)):
        if event["class_uid"] != 6003 or event["activity_name"] != "Infer":
            continue
        number = index - 1
        period = period_of(event["time"])
        own = Digests(period, keys.read(period) or b"")
        contents = [b"in %d" % number, b"out %d" % number][: len(event["unmapped"]["hmac"])]
        assert event["unmapped"]["hmac"] == own.of_record(index, *contents)
        assert event["actor"]["user"]["uid"] == own.of_client(f"client-{number % 3}")


@pytest.mark.parametrize("index", [0, 255, 256, 259, 260, 266])
def test_its_records_are_provable(index: int) -> None:
    assert check_proof(inclusion_proof(LogReader(GOLDEN), index), KEYS).index == index


def test_it_can_be_continued(tmp_path: Path) -> None:
    shutil.copytree(GOLDEN, tmp_path / "log")
    with AuditLog(tmp_path / "log", SecretKey("example.com/golden", bytes(range(32)))) as log:
        assert log.append(Summary(1.0, {"x": 1})) == EXPECTED["entries"] + 1
    verdict = verify(tmp_path / "log", KEYS, [KEPT])
    assert verdict.problems == []
    assert verdict.entries == EXPECTED["entries"] + 3


@pytest.mark.parametrize("case", EXPECTED["damage"], ids=lambda case: str(case["what"]))
def test_damage_is_found_and_named(case: dict[str, Any], tmp_path: Path) -> None:
    shutil.copytree(GOLDEN, tmp_path / "log")
    path = tmp_path / "log" / case["file"]
    data = bytearray(path.read_bytes())
    if case.get("cut") is not None:
        del data[case["cut"] :]
    else:
        data[case["at"]] ^= 1
    path.write_bytes(data)
    found = [(p.kind, p.record) for p in verify(tmp_path / "log", KEYS, [KEPT]).problems]
    assert [tuple(pair) for pair in case["problems"]] == found
