"""Stand-ins that look like the real thing: names of nobody, cards of a test range. Chosen by a key, so the same value
gets the same one.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator

from .recognizers.validate import digits, luhn
from .text import folded

__all__ = ["card_surrogates", "name_surrogates"]

_GIVEN = (
    "Alex", "Jamie", "Robin", "Morgan", "Taylor", "Casey", "Jordan", "Riley", "Avery", "Quinn", "Rowan", "Sage",
    "Skyler",     "Emery", "Finley", "Harper", "Kendall", "Logan", "Parker", "Reese",
)  # fmt: skip
_FAMILY = (
    "Abbott", "Barlow", "Carver", "Dalton", "Ellery", "Farrow", "Garland", "Harlow", "Ingram", "Jarvis", "Keating",
    "Lowell", "Marlow", "Norwood", "Osgood", "Prescott", "Quimby", "Radley", "Selwyn", "Thorne", "Upton", "Vance",
    "Whitlock", "Yardley", "Ashby", "Bexley", "Colton", "Drayton", "Easton", "Fenwick",
)  # fmt: skip
_SURNAME = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨"
_FIRST = "安柏承德恩帆光和景康朗明宁平清仁书天文希信言远泽"


def _numbers(key: bytes, value: str) -> Iterator[int]:
    """An endless keyed sequence that depends on the value's folded form alone."""
    plain = " ".join(folded(value).casefold().split()).encode()
    counter = 0
    while True:
        yield int.from_bytes(hmac.digest(key, plain + counter.to_bytes(4, "big"), hashlib.sha256)[:16], "big")
        counter += 1


def name_surrogates(key: bytes, value: str) -> Iterator[str]:
    """Names for a person's name, the preferred one first; in Han characters where the original has them."""
    han = any("\u4e00" <= character <= "\u9fff" for character in value)
    for tries, number in enumerate(_numbers(key, value)):
        number, surname = divmod(number, len(_SURNAME) if han else len(_FAMILY))
        number, first = divmod(number, len(_FIRST) if han else len(_GIVEN))
        second = _FIRST[number % len(_FIRST)] if han else ""
        # After a dozen collisions names get longer, so that there is always a next one.
        more = tries // 12
        if han:
            yield (
                _SURNAME[surname]
                + _FIRST[first]
                + second
                + "".join(_FIRST[(number >> 5 * i) % len(_FIRST)] for i in range(more))
            )
        else:
            middle = "".join(f" {chr(65 + (number >> 5 * i) % 26)}." for i in range(more))
            yield f"{_GIVEN[first]}{middle} {_FAMILY[surname]}"


def card_surrogates(key: bytes, value: str) -> Iterator[str]:
    """Card numbers in the test range 4000 00, of the original's length and grouping where that has 13 to 19 digits,
    valid by Luhn.
    """
    number = digits(folded(value))
    length = len(number) if 13 <= len(number) <= 19 else 16
    for code in _numbers(key, number):
        body = "400000" + str(code).zfill(40)[-(length - 7) :]
        last = next(d for d in "0123456789" if luhn(body + d))
        yield _grouped(value, body + last)


def _grouped(value: str, number: str) -> str:
    """The digits in the original's grouping when it is written in ASCII with as many digits."""
    if (
        not value.isascii()
        or sum(c.isdigit() for c in value) != len(number)
        or any(c.isalpha() or c in "%&=\\" for c in value)
    ):
        return number
    following = iter(number)
    return "".join(next(following) if character.isdigit() else character for character in value)
