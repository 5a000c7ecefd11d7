"""Coverage-guided fuzzing with atheris: no exception, valid offsets, the original comes back, streams agree.

Texts are put together from values that recognizers know, ways to hide them, and raw characters, so that most of them
reach the confirmation.

Run: python benchmarks/redaction/fuzz.py [libFuzzer options]
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

_GLUE = (
    " ",
    "",
    "\n",
    ",",
    ": ",
    "。",
    "号",
    "_",
    "-",
    ".",
    "=",
    "%",
    "\\x",
    "&#",
    "\u200b",
    "<PHONE_NUMBER_1>",
    "phone ",
)


def main() -> None:
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["cloister"]):
        privacy = importlib.import_module("cloister.privacy")
        for name in ("detector", "decode", "redact", "rules", "runs", "scan", "spans", "stream", "text", "vault"):
            importlib.import_module(f"cloister.privacy.{name}")
        recognizers = importlib.import_module("cloister.privacy.recognizers").recognizers
        transforms = importlib.import_module("transforms")
    redactor = privacy.Redactor(privacy.Policy.parse('name = "everything"\ndefault = "replace"'), tagger=None)
    redactor.prepare()
    pieces = [recognizer.example for recognizer in recognizers()]
    ways = [lambda v: v, *transforms.FORMS.values(), *transforms.NUMERIC.values(), *transforms.ENCODINGS.values()]

    def drawn(source: Any) -> str:
        out: list[str] = []
        while source.remaining_bytes() > 2 and len(out) < 24:
            kind = source.ConsumeIntInRange(0, 9)
            if kind < 5:
                way = ways[source.ConsumeIntInRange(0, len(ways) - 1)]
                piece = way(pieces[source.ConsumeIntInRange(0, len(pieces) - 1)])
                at = source.ConsumeIntInRange(0, len(piece))
                out.append(piece[:at] if kind == 4 else piece)
            elif kind < 8:
                out.append(_GLUE[source.ConsumeIntInRange(0, len(_GLUE) - 1)])
            else:
                out.append(source.ConsumeUnicode(source.ConsumeIntInRange(0, 40)))
        return "".join(out)

    def one(data: bytes) -> None:
        source = atheris.FuzzedDataProvider(data)
        cut = source.ConsumeIntInRange(0, 400)
        text = drawn(source)
        redaction = redactor.redact(text)
        end = 0
        for span in redaction.spans:
            assert end <= span.start < span.end <= len(text)
            end = span.end
        assert redaction.restore(redaction.text) == text
        stream = redactor.stream()
        assert stream.feed(text[:cut]) + stream.feed(text[cut:]) + stream.close() == redaction.text

    atheris.Setup([sys.argv[0], "-len_control=0", "-max_len=512", *sys.argv[1:]], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
