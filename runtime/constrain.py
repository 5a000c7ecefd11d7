"""The one file that imports llguidance: which tokens may come next so that the text fulfils a constraint."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import InvalidInput, MissingExtra
from .generation import Constraint


def guide(tokenizer: str, vocabulary: int, end_ids: Sequence[int]) -> Any:
    """What every `Guide` of a tokenizer shares; takes up to a second to make.

    Raises:
        MissingExtra: llguidance is not installed.
    """
    try:
        from llguidance import LLTokenizer
    except ImportError as error:
        raise MissingExtra("llguidance is not installed", hint="pip install 'cloister[generate]'") from error
    return LLTokenizer(tokenizer, n_vocab=vocabulary, eos_token=list(end_ids))


class Guide:
    """A constraint on one text.

    Raises:
        InvalidInput: not exactly one constraint, or one that cannot be read or fulfilled.
    """

    def __init__(self, shared: Any, constraint: Constraint) -> None:
        from llguidance import LLMatcher

        self._vocabulary: int = shared.vocab_size
        self._matcher = LLMatcher(shared, _grammar(constraint), log_level=0)
        self.allowed()

    def allowed(self) -> NDArray[np.bool_]:
        """Tokens that may come next, at least one. Shape: `[vocabulary]`.

        Raises:
            InvalidInput: what was written cannot become a text that fulfils the constraint.
        """
        bits = np.frombuffer(self._matcher.compute_bitmask(), np.uint8)
        allowed = np.unpackbits(bits, bitorder="little")[: self._vocabulary].astype(np.bool_)
        if self._matcher.is_error() or not allowed.any():
            raise _refused()
        return allowed

    def take(self, token: int) -> bool:
        """Count a token as written; whether the text is complete, so that nothing can follow."""
        self._matcher.consume_token(token)
        return bool(self._matcher.is_stopped())


def _grammar(constraint: Constraint) -> str:
    if not isinstance(constraint, Constraint):
        raise InvalidInput("a constraint is expected", hint="pass Constraint(json_schema=…), regex=… or choices=…")
    given = (constraint.json_schema, constraint.regex, constraint.choices)
    if sum(one is not None for one in given) != 1:
        raise InvalidInput("a constraint is one of three kinds", hint="give json_schema, regex or choices")
    from llguidance import LLMatcher

    try:
        if constraint.json_schema is not None:
            grammar = LLMatcher.grammar_from_json_schema(json.dumps(dict(constraint.json_schema)))
        elif constraint.regex is not None:
            grammar = LLMatcher.grammar_from_regex(constraint.regex)
        else:
            if not constraint.choices or not all(isinstance(one, str) and one for one in constraint.choices):
                raise InvalidInput("there is nothing to choose from", hint="give choices, none of them empty")
            grammar = LLMatcher.grammar_from_lark("start: " + " | ".join(json.dumps(c) for c in constraint.choices))
    except (ValueError, TypeError) as error:
        raise _refused() from error
    if LLMatcher.validate_grammar(grammar):
        raise _refused()
    return str(grammar)


def _refused() -> InvalidInput:
    return InvalidInput(
        "the constraint cannot be read, or nothing fulfils it",
        hint="check the JSON schema or the regular expression; look-around and remote references are not supported",
        code="constraint_invalid",
    )
