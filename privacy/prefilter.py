"""One pass over a text that says which gates occur in it. Three engines, one answer.

A gate is an expression without lookaround that occurs wherever its recognizer's pattern can match. Engines differ in
speed only: each of
them reports exactly the gates that occur, so what is found does not depend on the engine. Gates that an engine cannot
compile are searched
one by one with `regex`.
"""

from __future__ import annotations

import importlib
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import regex

__all__ = ["Gate", "Prefilter", "RegexPrefilter", "hyperscan_prefilter", "re2_prefilter"]


@dataclass(frozen=True, slots=True)
class Gate:
    """An expression; `cased` says whether letters must be written as in it, `loose` that it has lookaround which a
    prefilter may ignore.
    """

    expression: str
    cased: bool = False
    loose: bool = False


class Prefilter(Protocol):
    """Which gates occur in a folded text."""

    @property
    def name(self) -> str:
        """Name of the engine."""
        ...

    def fired(self, text: str) -> list[int]:
        """Indices of the gates that occur in `text`, in no order, each at most once; safe to call from threads."""
        ...

    def any_fired(self, text: str) -> bool:
        """Whether any gate occurs in `text`; stops at the first, so that a megabyte full of matches costs no more."""
        ...


def _portable(expression: str) -> str:
    """Code points as the automata write them: `\\x{4E00}` where Python writes `\\u4E00`."""
    return str(regex.sub(r"\\u([0-9A-Fa-f]{4})", r"\\x{\1}", expression))


def _flags(gate: Gate) -> int:
    flags = regex.VERSION0 | regex.DOTALL | regex.MULTILINE
    return int(flags if gate.cased else flags | regex.IGNORECASE)


class RegexPrefilter:
    """Searches gate by gate with `regex`: what serves where no automaton is at hand."""

    name = "regex"

    def __init__(self, gates: Sequence[Gate], numbers: Sequence[int] | None = None) -> None:
        indices = range(len(gates)) if numbers is None else numbers
        self._searches = [
            (index, regex.compile(gates[index].expression, _flags(gates[index])).search) for index in indices
        ]

    def fired(self, text: str) -> list[int]:
        """See `Prefilter`."""
        return [index for index, search in self._searches if search(text) is not None]

    def any_fired(self, text: str) -> bool:
        """See `Prefilter`."""
        return any(search(text) is not None for _, search in self._searches)


def _collect(number: int, _start: int, _end: int, _flags: int, found: list[int]) -> None:
    found.append(number)


def _stop(_number: int, _start: int, _end: int, _flags: int, _context: None) -> bool:
    return True


class HyperscanPrefilter:
    """All gates that Hyperscan takes as one database, the others one by one."""

    name = "hyperscan"

    def __init__(self, database: Any, rest: RegexPrefilter | None) -> None:
        self._scan = database.scan
        self._library = importlib.import_module("hyperscan")
        self._database = database
        self._rest = rest
        self._local = threading.local()

    def fired(self, text: str) -> list[int]:
        """See `Prefilter`."""
        found: list[int] = []
        self._scan(text.encode(), _collect, context=found, scratch=self._scratch())
        return found if self._rest is None else found + self._rest.fired(text)

    def any_fired(self, text: str) -> bool:
        """See `Prefilter`."""
        try:
            self._scan(text.encode(), _stop, context=None, scratch=self._scratch())
        except self._library.ScanTerminated:
            return True
        return self._rest is not None and self._rest.any_fired(text)

    def _scratch(self) -> Any:
        """Scratch space: each thread works with its own."""
        try:
            return self._local.scratch
        except AttributeError:
            scratch = self._local.scratch = self._library.Scratch(self._database)
            return scratch


def compile_hyperscan(gates: Sequence[Gate]) -> bytes:
    """Serialized database of all gates, after a line that numbers those Hyperscan does not take. Takes seconds."""
    library = importlib.import_module("hyperscan")
    rest: list[int] = []
    try:
        database = _database(gates, range(len(gates)))
    except library.HyperscanError:
        for index in range(len(gates)):
            try:
                _database(gates, [index])
            except library.HyperscanError:
                rest.append(index)
        database = _database(gates, [index for index in range(len(gates)) if index not in rest])
    return json.dumps(rest).encode() + b"\n" + bytes(library.dumpb(database))


def _database(gates: Sequence[Gate], numbers: Sequence[int]) -> Any:
    library = importlib.import_module("hyperscan")
    common = library.HS_FLAG_UTF8 | library.HS_FLAG_SINGLEMATCH | library.HS_FLAG_DOTALL | library.HS_FLAG_MULTILINE
    flags = []
    for index in numbers:
        caseless = 0 if gates[index].cased else library.HS_FLAG_CASELESS
        flags.append(common | caseless | (library.HS_FLAG_PREFILTER if gates[index].loose else 0))
    database = library.Database(mode=library.HS_MODE_BLOCK)
    expressions = [_portable(gates[index].expression).encode() for index in numbers]
    database.compile(expressions=expressions, ids=list(numbers), flags=flags)
    return database


def hyperscan_prefilter(serialized: bytes, gates: Sequence[Gate]) -> HyperscanPrefilter:
    """Prefilter from what `compile_hyperscan` returned for the same gates, on the same machine and library version."""
    library = importlib.import_module("hyperscan")
    line, _, body = serialized.partition(b"\n")
    rest = json.loads(line)
    database = library.loadb(body, library.HS_MODE_BLOCK)
    database.scratch = library.Scratch(database)
    return HyperscanPrefilter(database, RegexPrefilter(gates, rest) if rest else None)


class Re2Prefilter:
    """The gates that RE2 knows as one set, the others one by one."""

    name = "re2"

    def __init__(self, match: Callable[[str], list[int]], numbers: Sequence[int], rest: RegexPrefilter) -> None:
        self._match = match
        self._numbers = numbers
        self._rest = rest

    def fired(self, text: str) -> list[int]:
        """See `Prefilter`."""
        return [self._numbers[index] for index in self._match(text)] + self._rest.fired(text)

    def any_fired(self, text: str) -> bool:
        """See `Prefilter`."""
        return bool(self._match(text)) or self._rest.any_fired(text)


def re2_prefilter(gates: Sequence[Gate]) -> Re2Prefilter:
    """Prefilter over google-re2."""
    library = importlib.import_module("re2")
    options = library.Options()
    options.log_errors = False
    options.max_mem = 256 << 20
    together = library.Set.SearchSet(options)
    numbers: list[int] = []
    rest: list[int] = []
    for index, gate in enumerate(gates):
        expression = _portable(gate.expression)
        try:
            together.Add(("(?sm)" if gate.cased else "(?ism)") + expression)
        except library.error:
            rest.append(index)
        else:
            numbers.append(index)
    together.Compile()
    return Re2Prefilter(together.Match, numbers, RegexPrefilter(gates, rest))
