"""Processes killed with SIGKILL while they append: what they had acknowledged is in a log that opens and verifies."""

import os
import random
import subprocess
import sys
import threading
from pathlib import Path

from cloister.privacy.audit import AuditLog
from cloister.privacy.audit.check import verify
from cloister.privacy.audit.check_notes import read_key
from cloister.privacy.audit.reader import LogReader, parsed

RUNS = int(os.environ.get("AUDIT_KILLS", "20"))

# Acknowledgements go through a pipe, one line each: what the parent has read was acknowledged before the kill.
WRITER = """
import os, sys, threading
from cloister.privacy.audit import AuditLog, Request, log
log.PUBLISH_RECORDS, log.PUBLISH_SECONDS = 60, 0.01
opened = AuditLog(sys.argv[1])
def work(worker):
    number = 0
    while True:
        uid = f"{os.getpid()}-{worker}-{number}"
        index = opened.append(Request(uid, "/v1/classify", "client", input=uid.encode()))
        os.write(1, f"{index} {uid}\\n".encode())
        number += 1
for worker in range(4):
    threading.Thread(target=work, args=(worker,)).start()
"""


def test_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    rng, log = random.Random(11), tmp_path / "log"
    acknowledged: dict[int, str] = {}
    for _ in range(RUNS):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(log)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        for _ in range(rng.randint(1, 120)):
            line = process.stdout.readline()
            assert line
            index, uid = line.decode().split()
            acknowledged[int(index)] = uid
        threading.Event().wait(rng.random() * 0.02)
        process.kill()
        for rest in process.stdout.read().decode().splitlines(keepends=True):
            if rest.endswith("\n"):
                index, uid = rest.split()
                acknowledged[int(index)] = uid
        process.stdout.close()
        process.wait()
        verdict = verify(log, [read_key((log / "audit.pub").read_text())])
        assert verdict.problems == []
        assert verdict.entries > max(acknowledged)
    AuditLog(log).close()
    found = {
        index: event["api"]["request"]["uid"] for index, event in parsed(LogReader(log)) if event["class_uid"] == 6003
    }
    assert {index: found.get(index) for index in acknowledged} == acknowledged
