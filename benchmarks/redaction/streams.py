"""What a stream adds to each chunk and how much it holds back.

Run: python benchmarks/redaction/streams.py --data DIR [--cuttings N]
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from pathlib import Path

from values import carrier, values

from cloister.privacy import Policy, Redactor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets of the project's README")
    parser.add_argument("--values", type=int, default=5, help="values of each kind that are cut at every place")
    parser.add_argument("--cuttings", type=int, default=10_000, help="random cuttings that must give the same output")
    options = parser.parse_args()
    redactor = Redactor(tagger=None)
    lines = (options.data / "pii_presidio_research" / "split_shared.jsonl").read_text("utf-8").splitlines()
    texts = [json.loads(line)["full_text"] for line in lines]
    lines = (options.data / "pii_zh_generated" / "formal_seed42.jsonl").read_text("utf-8").splitlines()
    texts += [json.loads(line)["text"] for line in lines[:1000]]
    whole = " ".join(texts)[:200_000]
    stream, delays, held, came = redactor.stream(), [], [], 0
    for at in range(0, len(whole), 8):
        start = time.perf_counter()
        out = stream.feed(whole[at : at + 8])
        delays.append(time.perf_counter() - start)
        came = at + 8 if out else came
        held.append(at + 8 - came)
    stream.close()
    delays.sort()
    held.sort()
    bounds = redactor.policy.bounds
    median, high = delays[len(delays) // 2], delays[len(delays) * 99 // 100]
    sys.stdout.write(f"| added per chunk of 8 characters, median / p99 | {median * 1e3:.3f} / {high * 1e3:.2f} ms |\n")
    sys.stdout.write(f"| bounds of the policy: segment, reach | {bounds.segment}, {bounds.reach} |\n")
    beyond = max(0, held[-1] - bounds.segment - bounds.reach)
    sys.stdout.write(f"| characters held back beyond these bounds, most | {beyond} |\n")
    figures = f"{held[len(held) // 2]} / {held[len(held) * 99 // 100]} / {held[-1]}"
    sys.stdout.write(f"| characters since the last output, median / p99 / most | {figures} |\n")
    everything = Redactor(Policy.parse('name = "everything"\ndefault = "replace"'), tagger=None)
    different = tried = 0
    for index, (_, _, value, english, chinese) in enumerate(values(options.values)):
        language, text, _ = carrier(index, english, chinese, value)
        expected = everything.redact(text, language).text
        for cut in range(len(text) + 1):
            pieces = everything.stream(language)
            tried += 1
            different += pieces.feed(text[:cut]) + pieces.feed(text[cut:]) + pieces.close() != expected
    sys.stdout.write(f"| every cut of {options.values} values of each kind, other output | {different} of {tried} |\n")
    r = random.Random(2)
    different = 0
    for _ in range(options.cuttings):
        text = " ".join(r.choices(texts, k=2))
        cuts = sorted(r.randrange(len(text) + 1) for _ in range(r.randrange(1, 12)))
        pieces = redactor.stream()
        parts = [pieces.feed(text[a:b]) for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        different += "".join(parts) + pieces.close() != redactor.redact(text).text
    sys.stdout.write(f"| random cuttings with another output | {different} of {options.cuttings} |\n")


if __name__ == "__main__":
    main()
