"""How long redaction takes, with Presidio beside it where it is installed.

Run: python benchmarks/redaction/speed.py [--data DIR] [--presidio]
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from peers import presidio

from cloister.privacy import Redactor

CLEAN = ("The quick brown fox jumps over the lazy dog and then some more words follow here. " * 4)[:300]
DENSE = (
    "Anna can be reached at +1 415-555-0132 or anna.lima@example.org; her card 4539 5787 6362 1486 expires soon,"
    " SSN 460-89-9847, IBAN DE89 3704 0044 0532 0130 00. Server 203.0.113.77, mac 3C:5A:B4:1F:09:E2. Passport"
    " C12345678, born 1984-07-19, lives at 2450 Crown Street, Apt. 12. Key AKIAQYLPMN5HFIQR7XYA ok."
)
CHINESE = "我们今天去公园散步,天气很好,孩子们都玩得开心。大家约好下周再来。"
SHAPES = (
    "a.", "1 ", "12-", "4111 ", "a@b.", "http://a", "%34", "&#52;", "\\u0034", "eyJ", "MTIz",
    "-----BEGIN PRIVATE KEY-----", "路1号", "王芳", "地址", "1.", "+1", "(1", "\n", "1\n", "京A1", "token=abc1",
    "born ",
    "1.1.1.1 ", "4539578763621486 ", "bob@example.org ", "１", "\u200b",
    # The slowest of some hundred random combinations of such pieces.
    "4 5 ", "4+5+", "1\n2\n", "1.1.1.1:", "::e)D", "微信路芳", "身份证&#52;::13", "&#52;路passport %34",
    "phone 1  ", "%34身份证",
)  # fmt: skip


def least(run: Callable[[], Any], repeat: int, rounds: int = 5) -> float:
    """Seconds for one run: the least of several rounds."""
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(repeat):
            run()
        best = min(best, (time.perf_counter() - start) / repeat)
    return best


def busy(run: Callable[[], Any], rounds: int) -> float:
    """Seconds of processor time for one run: the least of several."""
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        run()
        best = min(best, time.process_time() - start)
    return best


def sentences(data: Path) -> list[str]:
    """Real sentences without personal data: bank questions, assistant commands, encyclopedia."""
    with (data / "banking77" / "test.csv").open(encoding="utf-8", newline="") as source:
        out = [row["text"] for row in csv.DictReader(source)]
    out += [text for text, _ in json.loads((data / "clinc150" / "data_full.json").read_text("utf-8"))["test"]]
    for article in json.loads((data / "xquad" / "xquad.en.json").read_text("utf-8"))["data"]:
        for paragraph in article["paragraphs"]:
            out += re.split(r"(?<=[.!?]) ", paragraph["context"])
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with the data sets of the project's README")
    parser.add_argument("--presidio", action="store_true", help="measure Presidio's patterns beside")
    options = parser.parse_args()
    Redactor("identifiers", tagger=None).prepare()
    start = time.perf_counter()
    redactor = Redactor(tagger=None)
    redactor.redact(DENSE)
    say(f"| ready and first dense text, prepared | {(time.perf_counter() - start) * 1e3:.0f} ms |")
    say(f"| engine | {redactor.engine} |")
    say(f"| clean ASCII, 300 characters | {least(lambda: redactor.redact(CLEAN), 5000) * 1e6:.1f} µs |")
    say(f"| dense, {len(DENSE)} characters | {least(lambda: redactor.redact(DENSE), 200) * 1e6:.0f} µs |")
    megabyte, chinese = CLEAN * 3500, CHINESE * 10000
    say(f"| clean ASCII | {len(megabyte) / 1e6 / least(lambda: redactor.redact(megabyte), 1):.0f} MB/s |")
    say(f"| clean Chinese | {len(chinese.encode()) / 1e6 / least(lambda: redactor.redact(chinese), 1):.0f} MB/s |")
    one = f"{megabyte} call 415-555-0132 {megabyte}"
    say(f"| the same around one value | {len(one) / 1e6 / least(lambda: redactor.redact(one), 1, 3):.0f} MB/s |")
    if options.data:
        texts = sentences(options.data)
        share = sum(not redactor.quiet(text) for text in texts) / len(texts)
        say(f"| {len(texts)} real sentences that need confirmation | {share:.1%} |")

    def repeated(shape: str, length: int) -> Callable[[], Any]:
        text = (shape * length)[:length]
        return lambda: redactor.redact(text)

    worst = sorted(((busy(repeated(shape, 8192), 3), shape) for shape in SHAPES), reverse=True)
    for seconds, shape in worst[:6]:
        say(f"| 8 KB of {shape!r}, processor time | {seconds * 1e3:.1f} ms |")
    growth = sorted(((busy(repeated(shape, 1 << 20), 1) / seconds, shape) for seconds, shape in worst), reverse=True)
    for factor, shape in growth[:4]:
        say(f"| 1 MB of {shape!r} against 8 KB (linear: 128) | {factor:.0f} times |")
    if options.presidio:
        analyze = presidio()
        analyze(DENSE)
        say(f"| Presidio, clean | {least(lambda: analyze(CLEAN), 50) * 1e6:.0f} µs |")
        say(f"| Presidio, dense | {least(lambda: analyze(DENSE), 20) * 1e6:.0f} µs |")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
