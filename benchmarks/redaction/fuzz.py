"""Coverage-guided fuzzing with atheris: no exception, valid offsets, the original comes back, streams agree.

Run: python benchmarks/redaction/fuzz.py [libFuzzer options]
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from cloister.privacy import Policy, Redactor


def main() -> None:
    atheris: Any = importlib.import_module("atheris")
    redactor = Redactor(Policy.parse('name = "everything"\ndefault = "replace"'), tagger=None)

    def one(data: bytes) -> None:
        source = atheris.FuzzedDataProvider(data)
        cut = source.ConsumeIntInRange(0, 400)
        text = source.ConsumeUnicode(2000)
        redaction = redactor.redact(text)
        end = 0
        for span in redaction.spans:
            assert end <= span.start < span.end <= len(text)
            end = span.end
        assert redaction.restore(redaction.text) == text
        stream = redactor.stream()
        assert stream.feed(text[:cut]) + stream.feed(text[cut:]) + stream.close() == redaction.text

    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
