"""How much is found of values that hide: plain, under one transform, under two encodings.

Run: python benchmarks/redaction/evasion.py [--count N] [--verbose]
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter

from peers import presidio
from transforms import TRANSFORMS, two_layers
from values import carrier, values

from cloister.privacy import Policy, Redactor

#: Entities that Presidio's English patterns know under the same name.
SHARED = frozenset(
    {
        "CREDIT_CARD",
        "IBAN_CODE",
        "US_SSN",
        "US_ITIN",
        "EMAIL_ADDRESS",
        "PHONE_NUMBER",
        "IP_ADDRESS",
        "MAC_ADDRESS",
        "UK_NHS",
        "UK_NINO",
        "URL",
    }
)
_EVERYTHING = 'name = "everything"\ndefault = "replace"'


def found(redactor: Redactor, entity: str, text: str, start: int, end: int, language: str) -> bool:
    """Whether a span of the entity overlaps [start, end)."""
    spans = redactor.redact(text, language).spans
    return any(span.entity == entity and span.start < end and start < span.end for span in spans)


def main() -> None:
    """Print recall by transform and by value."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=12, help="values of each kind")
    parser.add_argument("--presidio", action="store_true", help="Presidio's patterns instead, on the entities it has")
    parser.add_argument("--verbose", action="store_true", help="print what is missed")
    options = parser.parse_args()
    redactor = Redactor(Policy.parse(_EVERYTHING), tagger=None)
    tried: Counter[str] = Counter()
    hit: Counter[str] = Counter()
    layers: Counter[tuple[str, bool]] = Counter()
    r = random.Random(7)
    analyze = presidio() if options.presidio else None
    for index, (entity, name, value, english, chinese) in enumerate(values(options.count)):
        if analyze is not None and entity not in SHARED:
            continue
        forms = {"plain": value} | {key: make(value) for key, make in TRANSFORMS(entity, name).items()}
        double, names = two_layers(r, value)
        forms[f"two layers: {names}"] = double
        for key, written in forms.items():
            language, text, start = carrier(index, english, chinese, written)
            end = start + len(written)
            if analyze is None:
                good = found(redactor, entity, text, start, end, language)
            else:
                good = any(f.entity_type == entity and f.start < end and start < f.end for f in analyze(text))
            layer = "two layers" if key.startswith("two") else "plain" if key == "plain" else "one layer"
            layers[layer, good] += 1
            for group in (f"transform {key}", f"value {name} ({layer})"):
                tried[group] += 1
                hit[group] += good
            if options.verbose and not good:
                sys.stdout.write(f"missed {entity} {name} {key}: {text!r}\n")
    for layer in ("plain", "one layer", "two layers"):
        yes, no = layers[layer, True], layers[layer, False]
        sys.stdout.write(f"| {layer} | {yes + no} | {yes / (yes + no):.4f} |\n")
    for group in sorted(tried, key=lambda g: hit[g] / tried[g]):
        if hit[group] < tried[group]:
            sys.stdout.write(f"  {group}: {hit[group]}/{tried[group]}\n")


if __name__ == "__main__":
    main()
