"""Ten thousand redactions at once: does any give back a value of another?

Run: python benchmarks/redaction/vaults.py [--count N] [--threads N]
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor

from cloister.privacy import Redactor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--threads", type=int, default=32)
    options = parser.parse_args()
    redactor = Redactor("balanced", tagger=None)
    texts = [f"call 415-55{n // 10000}-{n % 10000:04d} or user{n}@example.org" for n in range(options.count)]
    with ThreadPoolExecutor(options.threads) as pool:
        # All are alive at once; each restores what every one of them calls by the same names.
        redactions = list(pool.map(redactor.redact, texts))
        template = "call <PHONE_NUMBER_1> or <EMAIL_ADDRESS_1>"
        restored = list(pool.map(lambda redaction: redaction.restore(template), redactions))
    foreign = sum(got != text for got, text in zip(restored, texts, strict=True))
    sys.stdout.write(f"| {options.count} redactions alive at once, foreign values restored | {foreign} |\n")


if __name__ == "__main__":
    main()
