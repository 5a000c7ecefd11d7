"""Ways to write a value so that a plain pattern misses it. One layer each; two of them make two layers."""

from __future__ import annotations

import base64
import json
import random
import re
import urllib.parse
from collections.abc import Callable

__all__ = ["ENCODINGS", "FORMS", "NUMERIC", "TRANSFORMS"]

_ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
_DEVANAGARI = str.maketrans("0123456789", "०१२३४५६७८९")
_MATHS = str.maketrans("0123456789", "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗")
_HOMOGLYPHS = str.maketrans("aceopxyABCEHKMOPTX", "асеорхуАВСЕНКМОРТХ")


def _wide(value: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in value)


def _grouped(value: str, separator: str) -> str:
    """A number of digits in groups of four, three for ten or eleven digits; separators that are there are replaced."""
    if re.search(r"[-. ]", value):
        return re.sub(r"[-. ]", separator, value)
    size = 4 if len(value) > 11 or len(value) % 4 == 0 else 3
    return separator.join(value[i : i + size] for i in range(0, len(value), size))


def _broken(value: str) -> str:
    middle = len(value) // 2
    return value[:middle] + "\n" + value[middle:]


Transform = Callable[[str], str]

#: Forms for any value.
FORMS: dict[str, Transform] = {
    "full-width": _wide,
    "zero-width": lambda v: "\u200b".join(v),
    "soft hyphen": lambda v: v[:3] + "\u00ad" + v[3:],
    "word joiner": lambda v: v[:2] + "\u2060" + v[2:],
    "Arabic-Indic digits": lambda v: v.translate(_ARABIC),
    "Devanagari digits": lambda v: v.translate(_DEVANAGARI),
    "maths digits": lambda v: v.translate(_MATHS),
    "homoglyphs": lambda v: v.translate(_HOMOGLYPHS),
    "next to Han": lambda v: f"号{v}的",
    "next to underscores": lambda v: f"_{v}_",
    "Markdown": lambda v: f"**{v}**",
    "Markdown code": lambda v: f"`{v}`",
    "JSON string": lambda v: json.dumps({"v": v}),
    "URL query": lambda v: f"?v={urllib.parse.quote_plus(v)}&x=1",
}
#: Forms for numbers with digits in groups.
NUMERIC: dict[str, Transform] = {
    "NBSP": lambda v: _grouped(v, "\u00a0"),
    "en-dash": lambda v: _grouped(v, "–"),
    "dots": lambda v: _grouped(v, "."),
    "slashes": lambda v: _grouped(v, "/"),
    "spaces between all digits": lambda v: " ".join(re.sub(r"[-. ]", "", v)),
    "line break inside": _broken,
    "spelled separators": lambda v: _grouped(v, " dash "),
}
#: Encodings for any value.
ENCODINGS: dict[str, Transform] = {
    "percent": lambda v: "".join(f"%{b:02X}" for b in v.encode()),
    "HTML": lambda v: "".join(f"&#{ord(c)};" for c in v),
    "HTML hex": lambda v: "".join(f"&#x{ord(c):x};" for c in v),
    "base64": lambda v: base64.b64encode(v.encode()).decode(),
    "hex": lambda v: v.encode().hex(),
    "escaped": lambda v: "".join(f"\\u{ord(c):04x}" for c in v),
    "quoted printable": lambda v: "".join(f"={b:02X}" for b in v.encode()),
}
#: For e-mail and addresses.
MAIL: dict[str, Transform] = {
    "(at)/(dot)": lambda v: v.replace("@", " (at) ").replace(".", " (dot) "),
    "[at]": lambda v: v.replace("@", "[at]"),
    "at dot": lambda v: re.sub(r"^[a-z]+\.", "", v).replace("@", " at ").replace(".", " dot "),
}
CASES: dict[str, Transform] = {
    "mixed case": lambda v: "".join(c.upper() if i % 2 else c.lower() for i, c in enumerate(v))
}
#: Entities whose letters may change their case without changing the value.
ANY_CASE = frozenset(
    {
        "EMAIL_ADDRESS",
        "IBAN_CODE",
        "MAC_ADDRESS",
        "IP_ADDRESS",
        "UK_NINO",
        "CN_SOCIAL_CREDIT_CODE",
        "CN_PASSPORT",
        "VEHICLE_ID",
        "HK_ID_CARD",
        "TW_NATIONAL_ID",
        "URL",
    }
)
_NUMBERS = frozenset({"card", "iban", "ssn", "itin", "phone_us", "phone_cn", "resident", "imei", "nhs", "aba"})


def TRANSFORMS(entity: str, name: str) -> dict[str, Transform]:  # noqa: N802 - a table with a key
    """One-layer transforms that make sense for a kind of value."""
    out = dict(FORMS) | dict(ENCODINGS)
    if name in _NUMBERS:
        out |= NUMERIC
    if entity == "EMAIL_ADDRESS":
        out |= MAIL
    if entity in ANY_CASE:
        out |= CASES
    if entity in {"SECRET", "CRYPTO", "URL", "PASSWORD", "PRIVATE_KEY", "CN_WECHAT_ID"}:
        # Case and look-alike letters are part of these; a changed one is another value.
        out.pop("homoglyphs", None)
    return out


def two_layers(r: random.Random, value: str) -> tuple[str, str]:
    """A value under two encodings, drawn at random, and their names."""
    inner, outer = r.choice(sorted(ENCODINGS)), r.choice(sorted(ENCODINGS))
    return ENCODINGS[outer](ENCODINGS[inner](value)), f"{inner} in {outer}"
