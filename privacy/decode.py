"""Views of what an encoding hides: percent, HTML entities, escapes, quoted-printable, base64, hexadecimal, spelled-out
separators.

One pass replaces every encoded piece of a view by what it stands for and keeps, per decoded character, the range of
the original that carries
it. A value that is encoded only in part is found in its surroundings all the same, since the rest of the text stays in
the view.
"""

from __future__ import annotations

import base64
import binascii
import html
from functools import cache
from typing import Any

import regex

from .text import View, fold

__all__ = ["GATES", "LAYERS", "decode"]

#: How many encodings may lie on top of each other.
LAYERS = 2

_SPELLED = {
    "at": "@", "艾特": "@", "dot": ".", "point": ".", "点": ".", "dash": "-", "hyphen": "-", "minus": "-", "杠": "-", "横杠": "-",  # noqa: E501
    "slash": "/", "colon": ":", "underscore": "_", "下划线": "_",
}  # fmt: skip
_MARKS = "|".join(sorted(_SPELLED, key=len, reverse=True))
_BETWEEN_DIGITS = "dash|hyphen|minus|dot|point|slash|colon|横杠|杠|点"

# Twelve letters and digits with a digit among them, written by where the first digit stands: the shortest base64 that
# hides nine characters.
_TWELVE = "|".join(
    (rf"[A-Za-z+/]{{{i}}}" if i else "") + "[0-9]" + (rf"[0-9A-Za-z+/]{{{11 - i}}}" if i < 11 else "")
    for i in range(12)
)

# The same where capitals inside take the place of a digit.
_CAPITALS = "|".join(
    (rf"[A-Za-z]{{{i}}}" if i else "") + "[a-z][A-Z]" + (rf"[A-Za-z]{{{10 - i}}}" if i < 10 else "") for i in range(11)
)
# Labels that are written right before a value, without a space between them.
_LABELS = "ABA|ID|IMEI|IP|IPv4|ITIN|MAC|NHS(?: number)?|QQ|SSN|TEL|VIN|HKID"
_LETTERED = "IBAN|BIC|SWIFT|NINO|National Insurance|IPv6|MAC|VIN"

# How each kind of encoded piece is written.
_PIECES = {
    "glued": rf"(?<![0-9A-Za-z])(?:(?:{_LABELS})(?=[0-9(+])"
    rf"|(?:{_LETTERED})(?=[A-Z]{{2,8}} ?[0-9A-Z]{{2}}|[0-9A-F]{{1,4}}[:.-]))",
    "percent": r"(?:%[0-9A-Fa-f]{2})+",
    "entity": r"&(?:\#[0-9]{1,7}|\#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,8});",
    "bytes": r"(?:\\x[0-9A-Fa-f]{2})+",
    "escape": r"\\(?:u[0-9A-Fa-f]{4}|u\{[0-9A-Fa-f]{1,6}\}|U[0-9A-Fa-f]{8}|[nrt]|[^\sA-Za-z0-9])",
    "soft": r"=\r?\n",
    "quoted": r"(?:=[0-9A-F]{2}(?:=\r?\n)?){3,}|=(?:2[0-9A-F]|3[A-F]|40|5F)(?![0-9])",
    "hex": r"(?<![0-9A-Za-z])(?:0[xX])?(?:[0-9A-Fa-f]{2}){6,}(?![0-9A-Za-z])",
    "base64": r"(?:data:[a-z0-9/;=+.-]{0,60};base64,)?"
    r"(?<![0-9A-Za-z+/_-])(?![0-9+-]+(?![0-9A-Za-z/_]))[0-9A-Za-z+/_-]{10,}={0,2}(?![0-9A-Za-z+/_=-])",
    "bracketed": rf"[ \t]?[\[({{<][ \t]?(?:{_MARKS})[ \t]?[\])}}>][ \t]?",
    "spelled": rf"(?<=[0-9])[ \t]?(?:{_BETWEEN_DIGITS})[ \t]?(?=[0-9])"
    r"|(?<=[0-9A-Za-z])[ \t](?:at)[ \t](?=[0-9A-Za-z-]{1,63}[ \t]dot[ \t][A-Za-z])"
    r"|(?<=[0-9A-Za-z])[ \t]dot[ \t](?=(?:[0-9A-Za-z-]{1,63}[ \t](?:at|dot)[ \t]){0,4}[a-z]{2,12}(?![0-9A-Za-z]))",
    "plus": r"(?<=[0-9,C])\+(?=[0-9-])",
}

#: Per kind, patterns without lookaround one of which occurs wherever a piece of the kind does: what the prefilter
#: watches for.
GATES = {
    "percent": r"%[0-9A-Fa-f]{2}",
    "entity": r"&(?:\#[0-9]{1,7}|\#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,8});",
    "bytes": r"\\x[0-9A-Fa-f]{2}",
    "escape": r"\\[^\sA-Za-z0-9]|\\[uUnrt]",
    "soft": r"=\r?\n",
    "quoted": r"=[0-9A-F]{2}",
    "hex": r"[0-9A-Fa-f]{12}",
    "base64": r"[0-9A-Za-z+/_-]{16}|[0-9A-Za-z+/_-]{10}=|" + _TWELVE + rf"|(?-i:{_CAPITALS})",
    "bracketed": rf"[\[({{<][ \t]?(?:{_MARKS})[ \t]?[\])}}>]",
    "spelled": rf"[0-9][ \t]?(?:{_BETWEEN_DIGITS})[ \t]?[0-9]|[0-9A-Za-z][ \t]dot[ \t][A-Za-z0-9]",
    "plus": r"[0-9,]\+[0-9-]|%2C\+",
    "glued": rf"(?:{_LABELS})[0-9(+]|(?:{_LETTERED})(?:[A-Z]{{2}}[0-9A-Z ]{{0,8}}[0-9]|[0-9A-F]{{1,4}}[:.-])",
}


@cache
def _pieces(kinds: frozenset[str]) -> Any:
    named = "|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _PIECES.items() if kind in kinds)
    return regex.compile(named, regex.IGNORECASE | regex.ASCII)


Unit = tuple[str, int, int]


def _characters(data: bytes, units: list[tuple[int, int]]) -> list[Unit] | None:
    """Bytes with the range of each, as characters with ranges; None when they are no printable UTF-8."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    if not all(character.isprintable() or character in "\t\n\r" for character in text):
        return None
    out: list[Unit] = []
    at = 0
    for character in text:
        width = len(character.encode())
        out.append((character, units[at][0], units[at + width - 1][1]))
        at += width
    return out


def _stepped(piece: str, at: int, marker: str) -> list[Unit] | None:
    """Runs of `%41` or `=41`; soft line breaks inside belong to the byte before."""
    values: list[int] = []
    units: list[tuple[int, int]] = []
    index = 0
    while index < len(piece):
        if piece[index] == marker and piece[index + 1 : index + 3].isalnum():
            values.append(int(piece[index + 1 : index + 3], 16))
            units.append((at + index, at + index + 3))
            index += 3
        else:
            units[-1] = (units[-1][0], units[-1][1] + 1)
            index += 1
    return _characters(bytes(values), units)


def _escape(piece: str, at: int) -> list[Unit] | None:
    kind = piece[1]
    if kind in "uU":
        code = int(piece[2:].strip("{}"), 16)
        if code > 0x10FFFF:
            return None
        text = chr(code)
    else:
        text = {"n": "\n", "r": "\r", "t": "\t"}.get(kind, kind)
    return [(text, at, at + len(piece))]


def _bytes(piece: str, at: int) -> list[Unit]:
    """Runs of `\\x41`: UTF-8, else one character a byte."""
    values = bytes(int(piece[index + 2 : index + 4], 16) for index in range(0, len(piece), 4))
    units = [(at + index, at + index + 4) for index in range(0, len(piece), 4)]
    whole = _characters(values, units)
    return [(chr(value), *unit) for value, unit in zip(values, units, strict=True)] if whole is None else whole


def _hex(piece: str, at: int) -> list[Unit] | None:
    skip = 2 if piece[:2] in ("0x", "0X") else 0
    data = bytes.fromhex(piece[skip:])
    return _characters(data, [(at + skip + 2 * i, at + skip + 2 * i + 2) for i in range(len(data))])


def _base64(piece: str, at: int) -> list[Unit] | None:
    if piece[:5].lower() == "data:":
        skip = piece.rindex(",") + 1
        inside = _base64(piece[skip:], at + skip)
        return inside and [(inside[0][0], at, inside[0][2]), *inside[1:]]
    body = piece.rstrip("=").replace("-", "+").replace("_", "/")
    if len(body) % 4 == 1:
        return None
    try:
        data = base64.b64decode(body + "=" * (-len(body) % 4))
    except binascii.Error:
        return None
    # Byte i lies in bits [8i, 8i + 8) of characters of six bits; the last one also owns the padding.
    units = [(at + (8 * i) // 6, at + -(-(8 * i + 8) // 6)) for i in range(len(data))]
    if units:
        units[-1] = (units[-1][0], at + len(piece))
    return _characters(data, units)


def _read(kind: str, piece: str, at: int) -> list[Unit] | None:
    """The characters an encoded piece at offset `at` stands for, or None when it stands for itself."""
    end = at + len(piece)
    match kind:
        case "percent":
            return _stepped(piece, at, "%")
        case "quoted":
            return _stepped(piece, at, "=")
        case "soft":
            return []
        case "entity":
            text = html.unescape(piece)
            return None if text == piece else [(character, at, end) for character in text]
        case "bytes":
            return _bytes(piece, at)
        case "escape":
            return _escape(piece, at)
        case "glued":
            return [*((c, at + i, at + i + 1) for i, c in enumerate(piece)), (" ", end - 1, end)]
        case "hex":
            return _hex(piece, at)
        case "base64":
            return _base64(piece, at)
        case "plus":
            return [(" ", at, end)]
        case _:
            return [(_SPELLED[piece.strip(" \t[](){}<>").lower()], at, end)]


def decode(view: View, kinds: frozenset[str]) -> View | None:
    """The view with every encoded piece of the given kinds replaced, or None when there is none.

    The cost is linear in the length of the view, and the result is longer by a constant factor at most (an HTML entity
    of two
    characters).
    """
    text = view.text
    out: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    done = 0
    for found in _pieces(kinds).finditer(text):
        at = found.start()
        kind = found.lastgroup
        units = _read(kind, found.group(), at)
        if units is None:
            continue
        _copy(view, done, at, starts, ends)
        out.append(text[done:at])
        for character, begin, end in units:
            low, high = view.original(begin, end)
            out.append(character)
            starts.append(low)
            ends.append(high)
        done = found.end()
    if not done:
        return None
    _copy(view, done, len(text), starts, ends)
    out.append(text[done:])
    return _composed("".join(out), starts, ends)


def _copy(view: View, start: int, end: int, starts: list[int], ends: list[int]) -> None:
    """Add the origins of the characters [start, end) of a view."""
    if view.starts is None or view.ends is None:
        starts.extend(range(start, end))
        ends.extend(range(start + 1, end + 1))
    else:
        starts.extend(view.starts[start:end])
        ends.extend(view.ends[start:end])


def _composed(text: str, starts: list[int], ends: list[int]) -> View:
    plain = fold(text)
    if plain.starts is None or plain.ends is None:
        return View(plain.text, starts, ends)
    return View(plain.text, [starts[int(i)] for i in plain.starts], [ends[int(i) - 1] for i in plain.ends])
