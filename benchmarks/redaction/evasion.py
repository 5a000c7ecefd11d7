"""How much is found of values that hide: plain, under one transform, under two encodings.

Run: python benchmarks/redaction/evasion.py [--count N] [--verbose]
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from collections.abc import Callable

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
Finder = Callable[[str, str, int, int, str], bool]
_EVERYTHING = 'name = "everything"\ndefault = "replace"'


def found(redactor: Redactor, entity: str, text: str, start: int, end: int, language: str) -> bool:
    """Whether a span of the entity overlaps [start, end)."""
    spans = redactor.redact(text, language).spans
    return any(span.entity == entity and span.start < end and start < span.end for span in spans)


Tally = Counter[tuple[str, bool]]


def measure(count: int, find: Finder, only: frozenset[str] | None = None, verbose: bool = False) -> tuple[Tally, Tally]:
    """How often `find` says yes: by layer, and by transform and value.

    Args:
        count: values of each kind.
        find: entity, text, start, end and language of a value; whether it is found.
        only: entities to try; all of them when None.
        verbose: print what is missed.
    """
    layers: Tally = Counter()
    groups: Tally = Counter()
    r = random.Random(7)
    for index, (entity, name, value, english, chinese) in enumerate(values(count)):
        if only is not None and entity not in only:
            continue
        forms = {"plain": value} | {key: make(value) for key, make in TRANSFORMS(entity, name).items()}
        double, names = two_layers(r, value)
        forms[f"two layers: {names}"] = double
        for key, written in forms.items():
            language, text, start = carrier(index, english, chinese, written)
            good = find(entity, text, start, start + len(written), language)
            layer = "two layers" if key.startswith("two") else "plain" if key == "plain" else "one layer"
            layers[layer, good] += 1
            groups[f"transform {key}", good] += 1
            groups[f"value {name} ({layer})", good] += 1
            if verbose and not good:
                sys.stdout.write(f"missed {entity} {name} {key}: {text!r}\n")
    return layers, groups


def share(tally: Tally, key: str) -> float:
    """The share of yes."""
    return tally[key, True] / max(1, tally[key, True] + tally[key, False])


def cloister() -> Finder:
    """Everything that Cloister knows, patterns only."""
    redactor = Redactor(Policy.parse(_EVERYTHING), tagger=None)
    return lambda entity, text, start, end, language: found(redactor, entity, text, start, end, language)


def beside() -> Finder:
    """Presidio's patterns, whatever the score."""
    analyze = presidio()
    return lambda entity, text, start, end, _: any(
        f.entity_type == entity and f.start < end and start < f.end for f in analyze(text)
    )


def main() -> None:
    """Print recall by layer, and by transform and value where something is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=12, help="values of each kind")
    parser.add_argument("--presidio", action="store_true", help="Presidio's patterns instead, on the entities it has")
    parser.add_argument("--verbose", action="store_true", help="print what is missed")
    options = parser.parse_args()
    find, only = (beside(), SHARED) if options.presidio else (cloister(), None)
    layers, groups = measure(options.count, find, only, options.verbose)
    for layer in ("plain", "one layer", "two layers"):
        total = layers[layer, True] + layers[layer, False]
        sys.stdout.write(f"| {layer} | {total} | {share(layers, layer):.4f} |\n")
    for group in sorted({key for key, _ in groups}, key=lambda g: share(groups, g)):
        if groups[group, False]:
            yes = groups[group, True]
            sys.stdout.write(f"  {group}: {yes}/{yes + groups[group, False]}\n")


if __name__ == "__main__":
    main()
