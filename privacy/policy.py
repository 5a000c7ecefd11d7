"""What is done with which entity: a TOML file, checked on reading.

A policy names keys (a file, a variable, a descriptor) and never holds one; its digest covers everything but those
names.
"""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import regex

from .. import CloisterError
from .monitoring.thresholds import Thresholds
from .monitoring.thresholds import parse as parse_thresholds
from .recognizers import CATEGORIES, categories

__all__ = ["ACTIONS", "PRESETS", "Bounds", "KeyReference", "Policy", "PolicyError", "Rule"]

ACTIONS = ("replace", "mask", "hash", "surrogate", "drop", "keep")
PRESETS = ("identifiers", "balanced", "strict", "gdpr", "pipl", "pci", "secrets")
_SURROGATES = ("PERSON", "CREDIT_CARD")
_LANGUAGES = ("en", "zh")
_NAMED = ("PERSON", "LOCATION", "ORGANIZATION", "NRP")


class PolicyError(CloisterError):
    """A policy cannot be read, contradicts itself, or names a key that is not there."""

    code = "policy_invalid"


@dataclass(frozen=True, slots=True)
class Rule:
    """What happens to one entity.

    Attributes:
        action: one of `ACTIONS`.
        threshold: least score that counts, 0 to 1.
        keep_last: letters and digits at the end that `mask` leaves readable.
    """

    action: str
    threshold: float
    keep_last: int = 4


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far streams look, in characters.

    Attributes:
        segment: a segment ends at the first sentence end or line break after half of this, else at the first space
            or Han character
            after all of it.
        token: a segment never exceeds this, however long a run without a space is.
        reach: how far past the end of its segment a match, and what decides about it, may lie. A match still open
            there is masked to its end.
        seconds: how long the search in one segment may take before it counts as failed; several hundred times of what
            is usual.
    """

    segment: int = 256
    token: int = 4096
    reach: int = 96
    seconds: float = 2.0


@dataclass(frozen=True, slots=True)
class KeyReference:
    """Where a key is: exactly one of a file, an environment variable, an open file descriptor."""

    kind: str
    name: str

    def read(self) -> bytes:
        """The key's bytes, at least 16, surrounding white space taken off. Never kept by the policy.

        Raises:
            PolicyError: the key is not there, not readable, or too short.
        """
        try:
            if self.kind == "env":
                key = os.environ.get(self.name, "").encode()
            elif self.kind == "file":
                key = Path(self.name).read_bytes()
            else:
                with os.fdopen(os.dup(int(self.name)), "rb") as stream:
                    key = stream.read()
        except OSError as error:
            raise PolicyError(
                f"The key that the policy refers to by {self.kind} cannot be read.",
                hint=f"Check {self.name}: {error.strerror}.",
                code="key_unavailable",
            ) from error
        key = key.strip()
        if len(key) < 16:
            raise PolicyError(
                f"The key that the policy refers to by {self.kind} is missing or shorter than 16 bytes.",
                hint=f"Put at least 16 random bytes into {self.name}.",
                code="key_unavailable",
            )
        return key


@dataclass(frozen=True, slots=True)
class Policy:
    """A validated policy. Make one with `Policy.load` or `Policy.parse`.

    Attributes:
        name: what it is called.
        placeholders: `numbered` (`<PHONE_NUMBER_1>`) or `random` (16 random hexadecimal digits instead of the number).
        on_failure: `refuse` raises when a recognizer fails, `mask` lets nothing of the segment through but a mark.
        output: what happens to values in a language model's answer that were not in the request: `pass` counts them,
            `mask` writes `<ENTITY>` in their place, `stop` ends the answer before them.
        rules: by (entity, language).
        labels: entity for each label of a tagger; a label that is not named is taken as it is.
        allow: values that are never touched, folded and case-folded.
        allow_patterns: expressions that a value must match in full to be left alone.
        deny: words that are always found, by entity.
        keys: by purpose, `hash` or `surrogate`.
        bounds: see `Bounds`.
        tagger: folder of the tagging bundle that finds named entities, empty for the one that is installed.
        presidio: names of Presidio's predefined recognizers to compile into the scan.
        monitor: what a service that runs by this policy takes for an attack or drift.
        digest: SHA-256 of the canonical form, key references left out, in hexadecimal.
    """

    name: str
    placeholders: str
    on_failure: str
    output: str
    rules: Mapping[tuple[str, str], Rule]
    default: Rule
    labels: Mapping[str, str]
    allow: frozenset[str]
    allow_patterns: tuple[str, ...]
    deny: Mapping[str, tuple[str, ...]]
    keys: Mapping[str, KeyReference]
    bounds: Bounds
    presidio: tuple[str, ...]
    tagger: str
    monitor: Thresholds
    digest: str

    @staticmethod
    def load(source: str | Path) -> Policy:
        """Policy from the name of a preset or the path of a TOML file.

        Raises:
            PolicyError: it is neither, or the file is not a valid policy.
        """
        if isinstance(source, str) and source in PRESETS:
            return _preset(source)
        try:
            content = Path(source).read_bytes()
        except OSError as error:
            raise PolicyError(
                f"The policy {str(source)!r} is neither a preset nor a readable file.",
                hint=f"Presets are {', '.join(PRESETS)}; otherwise give the path of a TOML file.",
            ) from error
        try:
            return Policy.parse(content.decode())
        except UnicodeDecodeError as error:
            raise PolicyError("The policy is not UTF-8.", hint="Save the TOML file as UTF-8.") from error

    @staticmethod
    def parse(text: str) -> Policy:
        """Policy from TOML text; see `load`."""
        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise PolicyError("The policy is not valid TOML.", hint=f"{error}.") from error
        return _Reader(document).policy()

    def rule(self, entity: str, language: str) -> Rule:
        """What happens to `entity` in text of `language` (`en` or `zh`)."""
        return self.rules.get((entity, language), self.default)

    @property
    def names(self) -> bool:
        """Whether it acts on something that only a tagger finds in every language: names, places, organizations."""
        return any(self.touches(entity) for entity in (*_NAMED, *self.labels.values()))

    def touches(self, entity: str) -> bool:
        """Whether the policy does anything with an entity in any language."""
        return any(self.rule(entity, language).action != "keep" for language in _LANGUAGES)


@cache
def _preset(name: str) -> Policy:
    return Policy.parse(resources.files(__package__).joinpath("presets", f"{name}.toml").read_text("utf-8"))


def _wrong(what: str, hint: str) -> PolicyError:
    return PolicyError(f"The policy is not valid: {what}.", hint=hint)


class _Reader:
    """Reads one document; every table it does not know is an error, so that a typing mistake never switches protection
    off.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document

    def _known(self, table: Mapping[str, Any], names: tuple[str, ...], where: str) -> None:
        for name in table:
            if name not in names:
                raise _wrong(f"unknown key {name!r} in {where}", f"Known here: {', '.join(names)}.")

    def _choice(self, name: str, choices: tuple[str, ...], default: str) -> str:
        value = self._document.get(name, default)
        if value not in choices:
            raise _wrong(f"{name} = {value!r}", f"Use one of {', '.join(choices)}.")
        return str(value)

    def _table(self, name: str) -> dict[str, Any]:
        value = self._document.get(name, {})
        if not isinstance(value, dict):
            raise _wrong(f"{name} is not a table", f"Write [{name}] and its keys below.")
        return value

    def policy(self) -> Policy:
        top = ("name", "threshold", "placeholders", "on_failure", "output", "default", "category", "entity", "labels", "allow", "deny", "keys", "stream", "presidio", "tagger", "monitor")  # fmt: skip  # noqa: E501
        self._known(self._document, top, "the policy")
        threshold = _share(self._document.get("threshold", 0.5), "threshold")
        default = Rule(self._choice("default", ACTIONS, "keep"), threshold)
        rules = self._rules(default)
        keys = self._keys()
        actions = {rule.action for rule in rules.values()} | {default.action}
        if "hash" in actions and "hash" not in keys:
            raise _wrong(
                "an entity is hashed and no key is named",
                'Add [keys] with hash = { env = "NAME" } or { file = "PATH" }.',
            )
        deny = {entity: _strings(words, f"deny.{entity}") for entity, words in self._table("deny").items()}
        allow = self._table("allow")
        self._known(allow, ("values", "patterns"), "[allow]")
        presidio = self._table("presidio")
        self._known(presidio, ("recognizers",), "[presidio]")
        public = {name: value for name, value in self._document.items() if name != "keys"}
        return Policy(
            name=str(self._document.get("name", "custom")),
            placeholders=self._choice("placeholders", ("numbered", "random"), "numbered"),
            on_failure=self._choice("on_failure", ("refuse", "mask"), "refuse"),
            output=self._choice("output", ("pass", "mask", "stop"), "mask"),
            rules=rules,
            default=default,
            labels={label: str(entity) for label, entity in self._table("labels").items()},
            allow=frozenset(value.casefold() for value in _strings(allow.get("values", []), "allow.values")),
            allow_patterns=_patterns(allow.get("patterns", [])),
            deny=deny,
            keys=keys,
            bounds=self._bounds(),
            presidio=_strings(presidio.get("recognizers", []), "presidio.recognizers"),
            tagger=self._tagger(),
            monitor=parse_thresholds(self._table("monitor"), _wrong),
            digest=hashlib.sha256(json.dumps(public, sort_keys=True, ensure_ascii=False).encode()).hexdigest(),
        )

    def _rules(self, default: Rule) -> dict[tuple[str, str], Rule]:
        rules: dict[tuple[str, str], Rule] = {}
        by_category = self._table("category")
        self._known(by_category, CATEGORIES, "[category]")
        for entity, category in categories().items():
            if category in by_category:
                for language in _LANGUAGES:
                    rules[entity, language] = _rule(by_category[category], default, entity, f"category.{category}")
        for entity in self._table("deny"):
            for language in _LANGUAGES:
                rules.setdefault((entity, language), Rule("replace", 0.0))
        for entity, table in self._table("entity").items():
            if not isinstance(table, dict):
                raise _wrong(f"entity.{entity} is not a table", f"Write [entity.{entity}] and action below.")
            shared = {key: value for key, value in table.items() if key not in _LANGUAGES}
            for language in _LANGUAGES:
                own = shared | table.get(language, {})
                base = rules.get((entity, language), Rule("replace", default.threshold))
                rules[entity, language] = _rule(own, base, entity, f"entity.{entity}")
        return rules

    def _tagger(self) -> str:
        table = self._table("tagger")
        self._known(table, ("bundle",), "[tagger]")
        bundle = table.get("bundle", "")
        if not isinstance(bundle, str) or (table and not bundle):
            raise _wrong("tagger.bundle is not a path", 'Write bundle = "PATH" of a tagging bundle.')
        return bundle

    def _keys(self) -> dict[str, KeyReference]:
        keys: dict[str, KeyReference] = {}
        table = self._table("keys")
        self._known(table, ("hash", "surrogate"), "[keys]")
        for purpose, reference in table.items():
            if (
                not isinstance(reference, dict)
                or len(reference) != 1
                or next(iter(reference)) not in ("file", "env", "fd")
            ):
                raise _wrong(
                    f"keys.{purpose} does not refer to a key",
                    'Write { file = "PATH" }, { env = "NAME" } or { fd = 3 }; never the key.',
                )
            kind, name = next(iter(reference.items()))
            keys[purpose] = KeyReference(kind, str(name))
        return keys

    def _bounds(self) -> Bounds:
        table = self._table("stream")
        limits = {"segment": (32, 65536), "token": (256, 1 << 20), "reach": (96, 4096)}
        self._known(table, (*limits, "seconds"), "[stream]")
        seconds = table.get("seconds", 2.0)
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0.01 <= seconds <= 600:
            raise _wrong(f"stream.seconds = {seconds!r}", "Use a number from 0.01 to 600.")
        for name, value in table.items():
            if name == "seconds":
                continue
            low, high = limits[name]
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise _wrong(f"stream.{name} = {value!r}", f"Use a whole number from {low} to {high}.")
        return Bounds(**table)


def _share(value: Any, where: str) -> float:
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise _wrong(f"{where} = {value!r}", "Use a number from 0 to 1.")
    return float(value)


def _strings(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise _wrong(f"{where} is not a list of texts", 'Write ["one", "two"].')
    return tuple(value)


def _patterns(value: Any) -> tuple[str, ...]:
    patterns = _strings(value, "allow.patterns")
    for pattern in patterns:
        try:
            regex.compile(pattern)
        except regex.error as error:
            raise _wrong("a pattern in allow.patterns does not compile", f"{error}.") from error
    return patterns


def _rule(value: Any, base: Rule, entity: str, where: str) -> Rule:
    table = {"action": value} if isinstance(value, str) else value
    if not isinstance(table, dict):
        raise _wrong(f"{where} is neither an action nor a table", f"Use one of {', '.join(ACTIONS)}.")
    for name in table:
        if name not in ("action", "threshold", "keep_last"):
            raise _wrong(f"unknown key {name!r} in {where}", "Known here: action, threshold, keep_last, en, zh.")
    action = table.get("action", base.action)
    if action not in ACTIONS:
        raise _wrong(f"action {action!r} in {where}", f"Use one of {', '.join(ACTIONS)}.")
    if action == "surrogate" and entity not in _SURROGATES:
        raise _wrong(f"surrogates for {entity}", f"Surrogates exist for {' and '.join(_SURROGATES)}; use replace.")
    keep = table.get("keep_last", base.keep_last)
    if not isinstance(keep, int) or not 0 <= keep <= 8:
        raise _wrong(f"keep_last = {keep!r} in {where}", "Use a whole number from 0 to 8.")
    return Rule(str(action), _share(table.get("threshold", base.threshold), where), keep)
