"""Checks of values. Check digits come from python-stdnum and phone plans from phonenumbers; what neither has is here.

Every check takes folded text as it was matched, separators included, and says whether the value can be real.
"""

from __future__ import annotations

import datetime
import importlib
import math
import re
import socket
from collections import Counter
from functools import cache
from typing import Any

__all__ = ["compact", "digits", "entropy", "luhn"]

# Card number lengths by issuer prefix, ranges inclusive (ISO/IEC 7812 as the networks publish them).
_CARD_RANGES = (
    ("4", "4", (13, 16, 19)),
    ("51", "55", (16,)),
    ("2221", "2720", (16,)),
    ("34", "34", (15,)),
    ("37", "37", (15,)),
    ("300", "305", (14, 16, 19)),
    ("3095", "3095", (14, 16, 19)),
    ("36", "36", (14, 16, 19)),
    ("38", "39", (14, 16, 19)),
    ("6011", "6011", (16, 19)),
    ("644", "649", (16, 19)),
    ("65", "65", (16, 19)),
    ("3528", "3589", (16, 17, 18, 19)),
    ("1800", "1800", (15,)),
    ("2131", "2131", (15,)),
    ("62", "62", (16, 17, 18, 19)),
    ("81", "81", (16, 17, 18, 19)),
    ("50", "50", (13, 14, 15, 16, 17, 18, 19)),
    ("56", "58", (12, 13, 14, 15, 16, 17, 18, 19)),
    ("60", "61", (13, 14, 15, 16, 17, 18, 19)),
    ("63", "69", (13, 14, 15, 16, 17, 18, 19)),
    ("2200", "2205", (16, 17, 18, 19)),
    ("9792", "9792", (16,)),
    ("900", "999", (16, 19)),
)
# Weights of the check digit of a resident id are ISO 7064 MOD 11-2; the region is one of these provinces (GB/T 2260).
_PROVINCES = frozenset(
    [
        "11", "12", "13", "14", "15", "21", "22", "23", "31", "32", "33", "34", "35", "36", "37", "41", "42", "43",
        "44", "45", "46", "50", "51", "52", "53", "54", "61", "62", "63", "64", "65", "71", "81", "82", "83",
    ]
)  # fmt: skip
_TAIWAN = {letter: 10 + index for index, letter in enumerate("ABCDEFGHJKLMNPQRSTUVXYWZIO")}
_VIN = dict(
    zip("ABCDEFGHJKLMNPRSTUVWXYZ", (1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 7, 9, 2, 3, 4, 5, 6, 7, 8, 9), strict=True)
)
_VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)


_NO_DIGIT = re.compile("[^0-9]+")


@cache
def _stdnum(name: str) -> Any:
    return importlib.import_module(f"stdnum.{name}")


def digits(value: str) -> str:
    """The decimal digits of a value."""
    return _NO_DIGIT.sub("", value)


def compact(value: str) -> str:
    """Letters and digits of a value, in upper case."""
    return "".join(filter(str.isalnum, value)).upper()


def standard(name: str, value: str) -> bool:
    """Whether python-stdnum's module `name` accepts the value."""
    return bool(_stdnum(name).is_valid(value))


def luhn(value: str) -> bool:
    """Luhn's check (ISO/IEC 7812-1, annex B) over the digits of a value; all digits alike is no number."""
    number = digits(value)
    return len(set(number)) > 1 and bool(_stdnum("luhn").checksum(number) == 0)


@cache
def _card_lengths() -> dict[str, frozenset[int]]:
    """Lengths in use by the first four digits of a card."""
    out: dict[str, frozenset[int]] = {}
    for prefix in (f"{number:04d}" for number in range(10000)):
        lengths = [size for low, high, sizes in _CARD_RANGES if low <= prefix[: len(low)] <= high for size in sizes]
        if lengths:
            out[prefix] = frozenset(lengths)
    return out


def card(value: str) -> bool:
    """A payment card: Luhn, and a length that its issuer range uses."""
    number = digits(value)
    return len(number) in _card_lengths().get(number[:4], ()) and luhn(number)


def long_card(value: str) -> bool:
    """13 to 19 digits that pass Luhn, whatever the issuer; for numbers that a card word stands by."""
    return 12 <= len(digits(value)) <= 19 and luhn(value)


def union_card(value: str) -> bool:
    """A number in UnionPay's range without a check digit: banks print some, and a card word stands by."""
    number = digits(value)
    return 16 <= len(number) <= 19 and number.startswith("62") and len(set(number)) > 2


def iban(text: str, start: int, end: int) -> tuple[int, int, float] | None:
    """The IBAN that begins at `start`: a known country, its length and ISO 7064 check digits. What follows it may look like more of it."""
    kept = [index for index in range(start, min(end, start + 136)) if text[index].isalnum()][:34]
    value = "".join(text[index] for index in kept).upper()
    if value[:2] not in _countries():
        return None
    # One pass gives the remainder of every length; python-stdnum checks country, length and the rest where it is right.
    head, remainder, right = int(_numeric(value[:4])), 0, []
    for length, character in enumerate(value[4:], 5):
        number = int(character, 36)
        remainder = (remainder * (100 if number > 9 else 10) + number) % 97
        if length >= 15 and (remainder * 1_000_000 + head) % 97 == 1:
            right.append(length)
    for length in reversed(right):
        stop = kept[length - 1] + 1
        after = text[stop : stop + 1]
        if not (after.isascii() and after.isalnum()) and standard("iban", value[:length]):
            return start, stop, 0.95
    return None


def _numeric(value: str) -> str:
    """Letters as the numbers 10 to 35 (ISO 7064)."""
    return "".join(str(int(character, 36)) for character in value)


def bic(value: str) -> bool:
    """A BIC whose country exists (ISO 9362, ISO 3166)."""
    return value[4:6].upper() in _countries()


@cache
def _countries() -> frozenset[str]:
    return frozenset(
        [
        "AD", "AE", "AF", "AG", "AI", "AL", "AM", "AO", "AR", "AT", "AU", "AW", "AZ", "BA", "BB", "BD", "BE", "BF",
        "BG", "BH", "BI", "BJ", "BM", "BN", "BO", "BR", "BS", "BT", "BW", "BY", "BZ", "CA", "CD", "CF", "CG", "CH",
        "CI", "CL", "CM", "CN", "CO", "CR", "CU", "CV", "CY", "CZ", "DE", "DJ", "DK", "DM", "DO", "DZ", "EC", "EE",
        "EG", "ES", "ET", "FI", "FJ", "FM", "FO", "FR", "GA", "GB", "GD", "GE", "GF", "GG", "GH", "GI", "GL", "GM",
        "GN", "GP", "GQ", "GR", "GT", "GW", "GY", "HK", "HN", "HR", "HT", "HU", "ID", "IE", "IL", "IM", "IN", "IQ",
        "IR", "IS", "IT", "JE", "JM", "JO", "JP", "KE", "KG", "KH", "KI", "KM", "KN", "KR", "KW", "KY", "KZ", "LA",
        "LB", "LC", "LI", "LK", "LR", "LS", "LT", "LU", "LV", "LY", "MA", "MC", "MD", "ME", "MG", "MK", "ML", "MM",
        "MN", "MO", "MQ", "MR", "MS", "MT", "MU", "MV", "MW", "MX", "MY", "MZ", "NA", "NC", "NE", "NG", "NI", "NL",
        "NO", "NP", "NZ", "OM", "PA", "PE", "PF", "PG", "PH", "PK", "PL", "PM", "PR", "PS", "PT", "PY", "QA", "RE",
        "RO", "RS", "RU", "RW", "SA", "SB", "SC", "SD", "SE", "SG", "SI", "SK", "SL", "SM", "SN", "SO", "SR", "SS",
        "ST", "SV", "SX", "SY", "SZ", "TC", "TD", "TG", "TH", "TJ", "TL", "TM", "TN", "TO", "TR", "TT", "TV", "TW",
        "TZ", "UA", "UG", "US", "UY", "UZ", "VA", "VC", "VE", "VG", "VN", "VU", "WF", "WS", "XK", "YE", "YT", "ZA",
        "ZM", "ZW",
        ]
    )  # fmt: skip


def aba(value: str) -> bool:
    """An ABA routing number: its check digit and a prefix in use."""
    number = digits(value)
    return standard("us.rtn", number) and (
        number[:2] <= "12" or "21" <= number[:2] <= "32" or "61" <= number[:2] <= "72" or number[:2] == "80"
    )


def ssn(value: str) -> bool:
    """A US social security number that can have been issued."""
    number = digits(value)
    return len(set(number)) > 1 and standard("us.ssn", number)


def itin(value: str) -> bool:
    """A US individual taxpayer identification number."""
    return standard("us.itin", digits(value))


def nhs(value: str) -> bool:
    """An NHS number: modulus 11."""
    number = digits(value)
    return len(set(number)) > 1 and standard("gb.nhs", number)


def nino(value: str) -> bool:
    """A UK national insurance number with a prefix that is issued."""
    return compact(value)[:2] not in {"BG", "GB", "NK", "KN", "TN", "NT", "ZZ"}


def imei(value: str) -> bool:
    """An IMEI: 15 digits with Luhn's check digit."""
    number = digits(value)
    return len(number) == 15 and luhn(number)


def vin(value: str) -> bool:
    """A vehicle identification number with its check digit (49 CFR 565)."""
    number = compact(value)
    if len(number) != 17 or not any(c.isdigit() for c in number) or not any(c.isalpha() for c in number):
        return False
    total = sum(
        weight * (int(character) if character.isdigit() else _VIN.get(character, 0))
        for character, weight in zip(number, _VIN_WEIGHTS, strict=True)
    )
    return "0123456789X"[total % 11] == number[8]


def vin_form(value: str) -> bool:
    """17 characters of a vehicle identification number's alphabet, both letters and digits; Europe has no check digit."""
    number = compact(value)
    return len(number) == 17 and sum(c.isdigit() for c in number) >= 4 and sum(c.isalpha() for c in number) >= 2


def ipv6(value: str) -> bool:
    """An IPv6 address that says something: at least two groups."""
    if value.count(":") < 2 or len(compact(value)) < 2:
        return False
    try:
        socket.inet_pton(socket.AF_INET6, value.split("%")[0])
    except OSError:
        return False
    return True


def mac(value: str) -> bool:
    """A hardware address that is neither all zeros nor all ones."""
    return compact(value) not in {"0" * 12, "F" * 12}


def coordinates(value: str) -> bool:
    """Latitude and longitude in degrees, in range."""
    parts = [float(part) for part in re.findall(r"-?[0-9]+\.[0-9]+", value)]
    return len(parts) == 2 and abs(parts[0]) <= 90 and abs(parts[1]) <= 180


def bitcoin(value: str) -> bool:
    """A Bitcoin address: Base58Check or Bech32."""
    return standard("bitcoin", value)


def hexadecimal(value: str) -> bool:
    """Hexadecimal text that is not one repeated digit."""
    return len(set(value.lower().removeprefix("0x"))) > 4


def base58(value: str) -> bool:
    """Base58 text in which letters and digits mix."""
    return any(c.isdigit() for c in value) and any(c.isupper() for c in value) and any(c.islower() for c in value)


def date(value: str) -> bool:
    """A calendar day from 1900 to the coming year, year first, or day and month in either order."""
    parts = [int(part) for part in re.findall(r"[0-9]+", value)]
    if len(parts) == 1 and parts[0] > 9_999_999:
        parts = [parts[0] // 10000, parts[0] // 100 % 100, parts[0] % 100]
    if len(parts) != 3:
        return bool(re.search("[A-Za-z]", value)) and all(0 < part < 2100 for part in parts)
    first, second, third = parts
    if first > 99:
        return _day(first, second, third)
    year = third if third > 99 else (2000 + third if third <= 30 else 1900 + third)
    return _day(year, first, second) or _day(year, second, first)


def _day(year: int, month: int, day: int) -> bool:
    try:
        datetime.date(year, month, day)
    except ValueError:
        return False
    return 1900 <= year <= 2100


def resident(value: str) -> bool:
    """A Chinese resident identity number (GB 11643): province, birthday, ISO 7064 MOD 11-2 check character."""
    number = compact(value)
    return (
        len(number) == 18 and number[:2] in _PROVINCES and _born(number[6:14]) and standard("iso7064.mod_11_2", number)
    )


def resident_form(value: str) -> bool:
    """A resident identity number but for its check character: typed by hand, and an id word stands by."""
    number = compact(value)
    return len(number) == 18 and number[:2] in _PROVINCES and _born(number[6:14])


def resident_old(value: str) -> bool:
    """The fifteen-digit resident number used before 1999."""
    number = digits(value)
    return len(number) == 15 and number[:2] in _PROVINCES and _born("19" + number[6:12])


def _born(text: str) -> bool:
    return _day(int(text[:4]), int(text[4:6]), int(text[6:8]))


def credit_code(value: str) -> bool:
    """A Chinese unified social credit code (GB 32100) with its check character."""
    number = compact(value)
    return any(c.isalpha() for c in number) and standard("cn.uscc", number)


def credit_code_digits(value: str) -> bool:
    """The same where it happens to have digits only; a word for it stands by."""
    return standard("cn.uscc", compact(value))


def hkid(value: str) -> bool:
    """A Hong Kong identity card number with its check digit in brackets or not."""
    number = compact(value)
    head = number[: len(number) - 7]
    if not head.isalpha() or len(head) not in (1, 2):
        return False
    weights = [36 if len(head) == 1 else ord(head[0]) - 55, ord(head[-1]) - 55]
    total = (
        weights[0] * 9
        + weights[1] * 8
        + sum(int(d) * w for d, w in zip(number[len(head) : -1], range(7, 1, -1), strict=True))
    )
    return "0123456789A"[-total % 11] == number[-1]


def taiwan(value: str) -> bool:
    """A Taiwanese identity number or resident certificate number with its check digit."""
    number = compact(value)
    head = _TAIWAN.get(number[0])
    if head is None:
        return False
    second = number[1] if number[1].isdigit() else str(_TAIWAN[number[1]] % 10)
    rest = second + number[2:]
    total = head // 10 + head % 10 * 9 + sum(int(d) * w for d, w in zip(rest, (8, 7, 6, 5, 4, 3, 2, 1, 1), strict=True))
    return total % 10 == 0


def plate(value: str) -> bool:
    """A plate is not letters alone after its province (it carries a digit), unless words say it is one."""
    return any(c.isdigit() for c in value)


def entropy(value: str) -> float:
    """Shannon entropy of the characters of a value, in bits per character."""
    counts = Counter(value)
    return -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values())


_EXTENSION = re.compile(r"(?i)[ \t]?(?:x|ext\.?|extension|转|分机)[ \t]?[0-9]{1,6}$")


@cache
def _phones() -> Any:
    return importlib.import_module("phonenumbers")


def international_phone(value: str) -> bool:
    """A number with a country calling code, of a length that the country's plan can have."""
    number = digits(_EXTENSION.sub("", value))
    library = _phones()
    try:
        parsed = library.parse("+" + (number[2:] if number.startswith("00") else number))
    except library.NumberParseException:
        return False
    return bool(library.is_possible_number(parsed))


def regional_phone(value: str) -> bool:
    """A number with a trunk zero and no country code that the plan of a larger country assigns."""
    return 9 <= len(digits(value)) <= 12 and any(
        _assigned(value, region) for region in ("GB", "DE", "FR", "IT", "AU", "JP", "CN", "IN", "KR")
    )


def _assigned(value: str, region: str) -> bool:
    library = _phones()
    number = digits(value)
    try:
        return bool(library.is_valid_number(library.parse(number, region)))
    except library.NumberParseException:
        return False


def phone_form(value: str) -> bool:
    """7 to 15 digits, not all alike; what stands beside says that it is a phone."""
    number = digits(_EXTENSION.sub("", value))
    return 6 <= len(number) <= 15 and len(set(number)) > 1
