"""What finding names costs: one text, many texts and ways to share the processors between them, a whole redaction.

Run: python benchmarks/redaction/names.py [--bundle DIR] [--rounds N]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.workbench import interleaved, report
from cloister.privacy import Redactor
from cloister.runtime import Options, load, tagger
from cloister.runtime.processor import available_threads
from cloister.runtime.tagger import BundleTagger

TEXT = (
    "Dear Ms Okonkwo, this is Daniel Ferreira from Halvorsen Shipping in Rotterdam. The crate for Priya Raman went to "
    "48 Marlborough Street by mistake. Please charge card 4111 1111 1111 1111, and write to d.ferreira@example.org or "
    "call 415-555-0132 before Friday; Halima in the office there knows about it."
)
COUNTS = (8, 16, 64, 256)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    shipped = Path(tagger.__file__).with_name("taggers") / "english"
    parser.add_argument(
        "--bundle", type=Path, default=shipped, help="tagging bundle; the built-in English one by default"
    )
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    start = time.perf_counter()
    one = load(options.bundle, options=Options(provider="cpu", threads=1))
    sys.stdout.write(f"ready in {(time.perf_counter() - start) * 1e3:.0f} ms, onnxruntime's import included\n")
    every = load(options.bundle, options=Options(provider="cpu", threads=available_threads()))
    beside = BundleTagger(one)
    report(
        f"one text of {len(TEXT)} characters",
        interleaved(
            {"one thread": partial(one.predict, [TEXT]), "every thread": partial(every.predict, [TEXT])},
            rounds=options.rounds,
        ),
        against="one thread",
    )
    for count in COUNTS:
        texts = [f"{number}: {TEXT[number % 7 : 40 + number * 37 % 256]}" for number in range(count)]
        sides: dict[str, Callable[[], object]] = {
            "one thread": partial(one.predict, texts),
            "every thread in each run": partial(every.predict, texts),
            "runs side by side (BundleTagger)": partial(beside, texts),
        }
        times = interleaved(sides, rounds=max(3, options.rounds // 4))
        report(f"{count} texts of 40 to 296 characters", times, against="one thread")
        best = min(times["runs side by side (BundleTagger)"])
        sys.stdout.write(f"  {count / best * 1e3:.0f} texts/s side by side\n")
    redactors = {"patterns alone": Redactor(tagger=None), "patterns and tagger": Redactor(tagger=beside)}
    whole: dict[str, Callable[[], object]] = {name: partial(r.redact, TEXT) for name, r in redactors.items()}
    report("a whole redaction of the text", interleaved(whole, rounds=options.rounds), against="patterns alone")


if __name__ == "__main__":
    main()
