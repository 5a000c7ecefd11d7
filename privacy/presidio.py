"""Presidio, both ways: its recognizers in Cloister's scan, and Cloister's recognizers in a plain Presidio analyzer.

The only file that imports presidio-analyzer, and only when a policy or a caller asks for it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import regex

from .. import MissingExtra
from .policy import Policy, PolicyError
from .recognizers.model import Recognizer

if TYPE_CHECKING:
    from .redact import Redactor

__all__ = ["compiled", "entity_recognizer", "predefined"]


# These ask tldextract, which fetches a list over the network; Cloister has recognizers of its own for them.
_ONLINE = ("EmailRecognizer",)


def _library(name: str = "presidio_analyzer") -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "The policy uses Presidio's recognizers.",
            hint="Run pip install 'cloister[privacy]', or take [presidio] out of the policy.",
        ) from error


def predefined(names: Sequence[str]) -> tuple[Recognizer, ...]:
    """Recognizers of Presidio by class name (`ItFiscalCodeRecognizer`) or by entity (`IT_FISCAL_CODE`).

    Raises:
        MissingExtra: presidio-analyzer is not installed.
        PolicyError: Presidio has no pattern recognizer of such a name.
    """
    library = _library()
    module = _library("presidio_analyzer.predefined_recognizers")
    made: dict[str, Any] = {}
    for name in dir(module):
        if name in _ONLINE:
            continue
        kind = getattr(module, name)
        if isinstance(kind, type) and issubclass(kind, library.PatternRecognizer) and hasattr(kind, "PATTERNS"):
            made[name] = kind
    out: list[Recognizer] = []
    for wanted in names:
        found = [kind() for name, kind in made.items() if name == wanted]
        found = found or [r for r in (kind() for kind in made.values()) if wanted in r.supported_entities]
        if not found:
            raise PolicyError(f"Presidio has no pattern recognizer {wanted!r}.", hint="Name its class or its entity.")
        out += [recognizer for each in found for recognizer in compiled(each)]
    return tuple(out)


def compiled(recognizer: Any) -> tuple[Recognizer, ...]:
    """A Presidio `PatternRecognizer`, predefined or your own, as declarations for the scan.

    Its patterns are confirmed as Presidio would (`validate_result`, `invalidate_result`; what validates scores 1), its
    context words raise the score by Presidio's 0.35, to 0.4 at least. Lookaround in a pattern is ignored by the
    prefilter only.
    """
    entity = recognizer.supported_entities[0]
    return tuple(
        Recognizer(
            entity=entity,
            name=f"presidio_{type(recognizer).__name__}_{index}",
            category="government",
            before="",
            pattern=_bounded(pattern.regex),
            after="",
            loose=True,
            score=pattern.score,
            refine=partial(_confirmed, recognizer, pattern.score),
            validated="Presidio's own checks",
            context=tuple(word.lower() for word in recognizer.context or ()),
            context_score=max(0.4, min(1.0, pattern.score + 0.35)),
            example="",
            source="presidio-analyzer",
        )
        for index, pattern in enumerate(recognizer.patterns)
    )


_WORD = "0-9A-Za-z_"
_AROUND = regex.compile(r"\(\?<?!(?:\[(?:[^\]\\]|\\.)*\]|\\.|[^()\[\]\\])*\)")


def _bounded(expression: str) -> str:
    """Han characters are no letters of the word beside a value: `\\b`, and `\\w` in what must not stand there, mean
    Latin letters and digits.
    """
    edge = rf"(?:(?<![{_WORD}])(?=[{_WORD}])|(?<=[{_WORD}])(?![{_WORD}]))"
    out = regex.sub(r"(?<!\\)((?:\\\\)*)\\b(?![^\[]*\])", lambda match: match.group(1) + edge, expression)

    def around(match: Any) -> str:
        inside = regex.sub(r"(\[[^\]]*?)\\w", rf"\g<1>{_WORD}", match.group())
        return str(inside.replace(r"\w", f"[{_WORD}]"))

    return str(_AROUND.sub(around, out))


def _confirmed(recognizer: Any, score: float, text: str, start: int, end: int) -> tuple[int, int, float] | None:
    """Presidio's two checks: `validate_result` may reject or make sure, `invalidate_result` may reject."""
    value = text[start:end]
    valid = recognizer.validate_result(value)
    if valid is False or recognizer.invalidate_result(value) is True:
        return None
    return start, end, 1.0 if valid else score


def entity_recognizer(redactor: Redactor | None = None, language: str = "en") -> Any:
    """Cloister's recognizers as one Presidio `EntityRecognizer`, to register in an `AnalyzerEngine`.

    Args:
        redactor: what finds; by default everything Cloister knows, patterns only.
        language: the language it serves in Presidio, `en` or `zh`.
    """
    library = _library()
    finder = redactor or _everything()

    def analyze(self: Any, text: str, entities: list[str], nlp_artifacts: Any = None) -> list[Any]:
        spans = finder.redact(text, language).spans
        return [
            library.RecognizerResult(entity_type=span.entity, start=span.start, end=span.end, score=span.score)
            for span in spans
            if not entities or span.entity in entities
        ]

    def load(self: Any) -> None:
        """Nothing to load: the redactor is ready."""

    methods: dict[str, Callable[..., Any]] = {"analyze": analyze, "load": load}
    kind = type("CloisterRecognizer", (library.EntityRecognizer,), methods)
    return kind(supported_entities=sorted(finder.entities), supported_language=language, name="Cloister")


def _everything() -> Redactor:
    from .redact import Redactor

    return Redactor(Policy.parse('name = "everything"\ndefault = "replace"'), tagger=None)
