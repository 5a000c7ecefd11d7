"""Signs of prompt injection and of encoded payloads in a text, as weights: hints that add up, no verdicts.

A text is flagged only by what asks to override, expose or impersonate instructions; words such as "ignore" alone count
for nothing (NotInject, Li et al., "InjecGuard", 2024, collects harmless prompts with them). An expression is searched
only where one of its plain substrings occurs, so ordinary text costs a few substring searches.
"""

import base64
import binascii
import re
from typing import NamedTuple

from ..text import folded

_MOST = 2.0


class _Rule(NamedTuple):
    """A weight, an expression over lower-case text, and substrings one of which occurs in whatever it matches."""

    weight: float
    hints: tuple[str, ...]
    expression: str


_GAP = r"[^.!?\n]"  # what may stand between two words of one sentence
_NOUNS = r"(?:instruction|prompt|rule|guideline|directive|direction|policy|policies|training|programming|guardrail)s?"
_VERBS = ("ignor", "disregard", "forget", "overrid", "bypass", "discard", "not follow", "not obey")
_VERB = r"\b(?:(?:ignor|disregard|forget|overrid|bypass|discard)\w*|not (?:follow|obey))\b"
_FREE = r"(?:restrict|limit|filter|rules|censor|guideline|ethic|constraint|safety)"

_ENGLISH = (
    _Rule(
        1.0,
        _VERBS,
        rf"{_VERB}{_GAP}{{0,30}}\b(?:previous|prior|above|earlier|preceding|foregoing|former|original|initial|existing"
        rf"|system|safety|content|all (?:of )?(?:your|the|these|those)){_GAP}{{0,30}}"
        rf"\b(?:{_NOUNS}|contexts?|messages?|conversation|text)\b",
    ),
    _Rule(
        1.0,
        _VERBS,
        rf"{_VERB}{_GAP}{{0,15}}\b(?:everything|all|anything)\b{_GAP}{{0,25}}"
        r"\b(?:above|before|you (?:were|have been|know)|told|said|learned)\b",
    ),
    _Rule(
        1.0,
        ("prompt", "instruction", "directive", "message", "rules"),
        r"\b(?:reveal|show|print|repeat|output|leak|display|expose|recite|dump|tell me|give me"
        rf"|what (?:is|are|was|were))\b{_GAP}{{0,25}}\b(?:your|the|its)\b{_GAP}{{0,15}}"
        r"\b(?:system|initial|hidden|secret|developer|original|internal|confidential)\b"
        rf"{_GAP}{{0,12}}\b(?:prompt|instruction|message|rule|directive)s?\b",
    ),
    _Rule(
        1.0,
        ("above",),
        rf"\b(?:repeat|print|output|recite)\b{_GAP}{{0,20}}\b(?:everything|all|words|text)\b{_GAP}{{0,12}}\babove\b",
    ),
    _Rule(
        1.0,
        (
            "restrict",
            "filter",
            "jailb",
            "censor",
            "guideline",
            "ethic",
            "constraint",
            "safety",
            " rules",
            "limits",
        ),
        rf"\b(?:you are|you're|act|behave|respond|answer|pretend|role-?play)\b{_GAP}{{0,60}}"
        rf"(?:\b(?:without|no|not bound by|free (?:of|from)|ignor\w+)\b{_GAP}{{0,20}}\b{_FREE}"
        r"|\bunrestricted\b|\bunfiltered\b|\bjailbr|\buncensored\b)",
    ),
    _Rule(
        1.0,
        ("anything now", " dan"),
        r"\bdo anything now\b|\byou (?:are|will be) (?:now )?dan\b|\bin character as dan\b",
    ),
    _Rule(
        1.0,
        (" mode",),
        rf"\b(?:enable|activate|enter|switch (?:in)?to|turn on|you are (?:now )?in)\b{_GAP}{{0,20}}"
        r"\b(?:developer|debug|god|admin|root|dan|jailbreak|maintenance) mode\b",
    ),
    _Rule(
        1.0,
        ("<|", "inst]", "sys>", "system>"),
        r"<\|(?:im_start|im_end|system|endoftext|eot_id|start_header_id)\|?>|\[/?inst\]|<</?sys>>|</?system>",
    ),
    _Rule(
        0.7,
        ("instruction", "prompt", "rules", "directive"),
        rf"(?:^|\n)[#\s*-]*(?:new|updated|real|actual|important) (?:system )?{_NOUNS}[\s*]*:"
        rf"|\b(?:end|beginning|start) of (?:the |your )?(?:system )?{_NOUNS}\b",
    ),
    _Rule(0.7, (":",), r"(?:^|\n)[#\s*-]*(?:system|assistant)(?: (?:prompt|message|override))?[\s*]*:"),
    _Rule(
        1.0,
        ("your new ", "your real ", "your actual ", "your only "),
        rf"\byour (?:new|real|actual|only) (?:{_NOUNS}|task|goal|purpose)\b{_GAP}{{0,10}}\b(?:is|are)\b",
    ),
)

_CHINESE = (
    _Rule(
        1.0,
        ("指令", "指示", "提示", "规则", "要求", "设定", "限制", "约束", "命令", "准则", "训练", "对话"),
        r"(?:忽略|无视|忘记|忘掉|忘了|跳过|绕过|不要理会|不用理会|不用管|抛开|放弃|推翻|覆盖|停止遵守|不再遵守|不要遵守|别遵守).{0,12}"
        r"(?:之前|以上|上面|上述|前面|先前|此前|所有|全部|一切|原有|原来|系统|你的|任何).{0,10}"
        r"(?:指令|指示|提示|规则|要求|设定|限制|约束|命令|准则|训练|对话)",
    ),
    _Rule(
        1.0,
        ("提示", "指令", "设定", "规则", "消息"),
        r"(?:显示|输出|告诉我|透露|泄露|打印|重复|说出|复述|给我看|展示|公开).{0,12}"
        r"(?:系统|初始|隐藏|原始|内部|开发者|最开始).{0,6}(?:提示|指令|设定|规则|消息)"
        r"|把.{0,8}(?:系统|初始|隐藏|内部).{0,6}(?:提示|指令|设定).{0,8}(?:输出|显示|告诉|打印|发给|写出)",
    ),
    _Rule(
        1.0,
        ("限制", "约束", "审查", "越狱", "模式", "遵守"),
        r"(?:你现在是|从现在开始|从现在起|假装|扮演|进入|切换到|启用|开启).{0,24}"
        r"(?:不受.{0,8}(?:限制|约束)|没有.{0,8}(?:限制|约束|审查)|越狱|开发者模式|调试模式|无限制|无审查|不遵守)",
    ),
    _Rule(
        0.7, ("指令", "任务", "提示", "规则"), r"(?:^|\n)\s*(?:新的?|真正的)(?:系统)?(?:指令|任务|提示|规则)\s*[:：]"
    ),
)

_Search = tuple[float, re.Pattern[str]]


def _by_hint(rules: tuple[_Rule, ...]) -> tuple[tuple[str, tuple[_Search, ...]], ...]:
    compiled = [(rule.hints, (rule.weight, re.compile(rule.expression))) for rule in rules]
    hints = dict.fromkeys(hint for names, _ in compiled for hint in names)
    return tuple((hint, tuple(search for names, search in compiled if hint in names)) for hint in hints)


_BY_ENGLISH_HINT = _by_hint(_ENGLISH)
_BY_CHINESE_HINT = _by_hint(_CHINESE)
_ENGLISH_HINTS = tuple(hint for hint, _ in _BY_ENGLISH_HINT)

# Letters of other scripts that pass for Latin ones, full-width letters, and characters that take no room.
_DISGUISE = re.compile("[\u00ad\u0370-\u04ff\u200b-\u200f\u202a-\u202e\u2060-\u206f\uff21-\uff3a\uff41-\uff5a\U000e0020-\U000e007f]")  # fmt: skip  # noqa: E501
_HIDDEN = re.compile("[\u200b\u2060-\u2064\u202a-\u202e\u2066-\u2069]")
_TAGS = re.compile("[\U000e0020-\U000e007f]")
_LONG_WORD = 32
_BASE64 = re.compile(r"[0-9A-Za-z+/_-]{24,}={0,2}")
_HEX = re.compile(r"(?:0x)?((?:[0-9A-Fa-f]{2}){16,})")
_ESCAPES = re.compile(r"(?:%[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}|&#x?[0-9A-Fa-f]{2,6};){8}")


def injection(text: str) -> float:
    """Weight of the signs of prompt injection in a text in lower case, 0 to 2."""
    total = 0.0
    if not text.isascii():
        if _DISGUISE.search(text) is not None:
            text = folded(text).lower()
        total = _weigh(_BY_CHINESE_HINT, text)
    if any(map(text.__contains__, _ENGLISH_HINTS)):
        total += _weigh(_BY_ENGLISH_HINT, text)
    return min(total, _MOST) if total else 0.0


def _weigh(by_hint: tuple[tuple[str, tuple[_Search, ...]], ...], text: str) -> float:
    found: set[_Search] = set()
    for hint, searches in by_hint:
        if hint in text:
            found.update(searches)
    return sum(weight for weight, pattern in found if pattern.search(text) is not None) if found else 0.0


def encoded(text: str) -> float:
    """Weight of encoded or invisible passages in a text, 0 to 2; what they say counts too where it is readable."""
    total = 0.0
    if not text.isascii() and _DISGUISE.search(text) is not None:
        if len(_HIDDEN.findall(text)) >= 3:
            total += 0.5
        if len(_TAGS.findall(text)) >= 8:
            total += 1.0
    words = text.split()
    if words and max(map(len, words)) >= _LONG_WORD:
        total += sum(_payload(word) for word in words if len(word) >= _LONG_WORD)
    return min(total, _MOST) if total else 0.0


def _payload(word: str) -> float:
    if ("%" in word or "\\" in word or "&#" in word) and _ESCAPES.search(word) is not None:
        return 1.0
    found = _HEX.fullmatch(word)
    if found is not None:
        return _readable(bytes.fromhex(found[1]))
    if "://" in word or word.startswith(("www.", "/")):
        return 0.0
    found = _BASE64.search(word)
    if found is None:
        return 0.0
    body = found[0].rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return _readable(base64.b64decode(body[: len(body) // 4 * 4]))
    except binascii.Error:
        return 0.0


def _readable(data: bytes) -> float:
    """1 for bytes that are text, which random keys and identifiers practically never are; more for an injection."""
    for cut in (len(data), len(data) - 1, len(data) - 2, len(data) - 3):  # the end may lie inside a character
        try:
            text = data[:cut].decode("utf-8")
            break
        except UnicodeDecodeError:
            continue
    else:
        return 0.0
    if len(text) < 8 or sum(not c.isprintable() and c not in "\t\r\n" for c in text) * 8 > len(text):
        return 0.0
    return 1.0 + injection(text.lower())
