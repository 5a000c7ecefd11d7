"""What was taken out of a text, and the way back. Lives in memory, belongs to one redaction."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterator

import regex

from .policy import Policy, Rule
from .surrogates import card_surrogates, name_surrogates
from .text import folded

__all__ = ["LITERAL", "RestoreStream", "Vault"]

#: A numbered placeholder, wherever it comes from.
LITERAL = regex.compile(r"<([A-Z][A-Z0-9_]*)_([0-9]{1,9})>")
_NUMBER_LIKE = regex.compile("[0-9]{7}")


class Vault:
    """Replacements of one redaction, and what they stand for.

    Args:
        policy: kind of placeholder.
        keys: keys by purpose (`hash`, `surrogate`).
        conversation: for texts that a language model answers. Placeholders are random whatever the policy says, since
            text of others shares the conversation, and stand for surrogates too: a name that the model writes of
            itself must not turn into somebody's.
    """

    def __init__(self, policy: Policy, keys: dict[str, bytes], *, conversation: bool = False) -> None:
        self._random = conversation or policy.placeholders == "random"
        self._surrogates = not conversation
        self._keys = keys
        self._originals: dict[str, str] = {}
        self._given: dict[tuple[str, str], str] = {}
        self._next: dict[str, int] = {}
        self._taken: set[str] = set()
        self.surrogates: set[str] = set()

    def __repr__(self) -> str:
        return f"Vault({len(self._originals)} values)"

    def reserve(self, text: str) -> None:
        """Keep numbered placeholders that occur in the input from being given out."""
        if "<" in text:
            self._taken.update(match.group() for match in LITERAL.finditer(text))

    def collides(self, literal: str) -> bool:
        """Whether a placeholder in the input is one that this vault gave out before it was seen."""
        return literal in self._originals

    def replacement(self, rule: Rule, entity: str, original: str, plain: bool, surroundings: str) -> str:
        """What stands for `original` in the output.

        Args:
            rule: what the policy says.
            entity: entity name.
            original: the text as it was.
            plain: whether it was written plainly; what hides in an encoding is masked whole.
            surroundings: text in which a surrogate must not occur already.
        """
        match rule.action:
            case "drop":
                return ""
            case "mask":
                return _masked(original, rule.keep_last if plain else 0)
            case "hash":
                value = f"{entity}\0{''.join(c for c in folded(original).casefold() if c.isalnum())}".encode()
                return f"<{entity}_{hmac.digest(self._keys['hash'], value, hashlib.sha256).hex()[:32]}>"
            case "surrogate" if self._surrogates:
                make = name_surrogates if entity == "PERSON" else card_surrogates
                return self._surrogate(entity, original, make, surroundings)
            case _:
                return self._placeholder(entity, original)

    def _placeholder(self, entity: str, original: str) -> str:
        known = self._given.get((entity, original))
        if known is not None:
            return known
        placeholder = self.fresh(entity)
        self._given[entity, original] = placeholder
        self._originals[placeholder] = original
        return placeholder

    def fresh(self, entity: str) -> str:
        """A placeholder that stands for nothing yet."""
        if self._random:
            return f"<{entity}_{_random_id()}>"
        while True:
            number = self._next.get(entity, 0) + 1
            self._next[entity] = number
            placeholder = f"<{entity}_{number}>"
            if placeholder not in self._taken:
                return placeholder

    def remember(self, placeholder: str, original: str) -> None:
        """Set what a placeholder from `fresh` stands for, again when more of the value arrives."""
        self._originals[placeholder] = original

    def _surrogate(
        self, entity: str, original: str, make: Callable[[bytes, str], Iterator[str]], surroundings: str
    ) -> str:
        known = self._given.get((entity, original))
        if known is not None:
            return known
        chosen = next(
            name
            for name in make(self._keys["surrogate"], original)
            if name not in self._originals and name not in surroundings and name != original
        )
        self._given[entity, original] = chosen
        self._originals[chosen] = original
        self.surrogates.add(chosen)
        return chosen

    def _expression(self) -> regex.Pattern[str] | None:
        if not self._originals:
            return None
        return regex.compile("|".join(regex.escape(key) for key in sorted(self._originals, key=len, reverse=True)))

    def restore(self, text: str) -> str:
        """`text` with every replacement of this vault that can be undone put back; anything else stays as it is."""
        expression = self._expression()
        return text if expression is None else expression.sub(lambda match: self._originals[match.group()], text)

    def restoring(self, written: Callable[[str], str] = str) -> RestoreStream:
        """The same over chunks.

        Args:
            written: how an original is written where it is put back, inside a JSON string for example.
        """
        return RestoreStream({key: written(original) for key, original in self._originals.items()})

    @property
    def placeholders(self) -> tuple[str, ...]:
        """Replacements that can be undone."""
        return tuple(self._originals)


class RestoreStream:
    """Restores a text that arrives in pieces; holds back at most what could still become a replacement."""

    def __init__(self, originals: dict[str, str]) -> None:
        self._originals = originals
        self._keys = sorted(originals, key=len, reverse=True)
        self._expression = regex.compile("|".join(map(regex.escape, self._keys))) if self._keys else None
        self._beginnings = {key[:length] for key in self._keys for length in range(1, len(key))}
        self._longest = max((len(key) for key in self._keys), default=1)
        self._held = ""

    def feed(self, chunk: str) -> str:
        """Restored text that no further chunk can change."""
        text = self._held + chunk
        keep = 0
        for length in range(1, min(self._longest, len(text) + 1)):
            if text[-length:] in self._beginnings:
                keep = length
        cut = len(text) - keep
        if self._expression is not None and keep:
            # A replacement that reaches into what is held back moves the cut to its beginning.
            for match in self._expression.finditer(text, max(0, cut - self._longest)):
                if match.start() < cut < match.end():
                    cut = match.start()
        self._held = text[cut:]
        return self._put(text[:cut])

    def close(self) -> str:
        """What was still held back."""
        text, self._held = self._held, ""
        return self._put(text)

    def _put(self, text: str) -> str:
        if self._expression is None:
            return text
        return str(self._expression.sub(lambda match: self._originals[match.group()], text))


def _random_id() -> str:
    """Sixteen random hexadecimal digits, never seven decimal ones in a row.

    Those could be a number of a phone or a card: another redactor, or this one when a model cuts the placeholder short,
    would take them for one. Costs a quarter of a bit of 64.
    """
    while _NUMBER_LIKE.search(value := secrets.token_hex(8)):
        pass
    return value


def _masked(original: str, keep_last: int) -> str:
    """Letters and digits as asterisks but for the last ones; never more than half of the value stays readable."""
    total = sum(character.isalnum() for character in original)
    hide = total - min(keep_last, total // 2)
    out = []
    for character in original:
        if character.isalnum() and hide > 0:
            hide -= 1
            out.append("*")
        else:
            out.append(character)
    return "".join(out)
