"""Words, places and name parts of Chinese, from the dictionary that the PyPI package `jieba` carries (MIT licence).

The dictionary has about 350,000 words with their frequency and part of speech. Traditional characters come from the
tables of `opencc-python-reimplemented` (Apache-2.0). Only the data of both packages is read; none of their code runs.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

__all__ = [
    "COMPOUND",
    "SURNAMES",
    "Choice",
    "given_characters",
    "given_names",
    "namelike",
    "segmented",
    "simplified",
    "traditional",
    "words",
]

# About the 260 commonest surnames, commonest first (order of the annual reports of the Ministry of Public Security).
SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔谭陆范"
    "汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫段雷龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔向常汤康易乔赖文施洪倪辛安颜温关鲁"
    "樊殷兰齐葛伍聂章梅左柳柴庄庞祝管管欧牛鲍翟俞俞焦詹符凌颜季华耿裴宁苗霍盛柯舒游阮岳骆闵区成甘尤冉穆靳时包麦单时翁卫褚"
    "计瞿涂卓蓝房鄢路艾费项屈纪解应覃冼晏桑楼连褚车佟农娄喻池占仇卞栾谷古涂桂敖臧诸祁宗冀边卜娄鞠战商巩原苟练沙简明党米司丛"
)
COMPOUND = (
    "欧阳",
    "司马",
    "上官",
    "诸葛",
    "皇甫",
    "司徒",
    "令狐",
    "慕容",
    "夏侯",
    "尉迟",
    "公孙",
    "端木",
    "东方",
    "南宫",
)

_PERSONS = frozenset({"nr", "nrt", "nrfg"})


class Choice:
    """Draws from weighted values."""

    def __init__(self, weights: dict[str, float]) -> None:
        self.values = tuple(weights)
        self._cumulative = list(itertools.accumulate(weights.values()))

    def draw(self, random_: random.Random) -> str:
        """One value."""
        return random_.choices(self.values, cum_weights=self._cumulative)[0]


@dataclass(frozen=True)
class _Entry:
    word: str
    count: int
    kind: str


@cache
def _entries() -> tuple[_Entry, ...]:
    lines = files("jieba").joinpath("dict.txt").read_text("utf-8").splitlines()
    parts = (line.split(" ") for line in lines)
    return tuple(_Entry(word, int(count), kind) for word, count, kind in parts if _han(word))


def _han(word: str) -> bool:
    return all("\u4e00" <= c <= "\u9fff" for c in word)


@cache
def words() -> dict[str, Choice]:
    """Words by part of speech (`n`, `v`, `a`, `d`, `ns`, …), drawn by the square root of their frequency.

    Words that are also read as names of persons are left out, and so are single characters of rare parts.
    """
    weights: dict[str, dict[str, float]] = defaultdict(dict)
    for entry in _entries():
        if entry.kind not in _PERSONS and (entry.count >= 20 or entry.kind in ("ns", "nt")):
            weights[entry.kind][entry.word] = entry.count**0.5
    return {kind: Choice(values) for kind, values in weights.items()}


@cache
def namelike() -> Choice:
    """Words that begin as names do, with a surname or as 小李 and 老王 do, and are none: 黄金, 高兴, 小心, 王国."""
    first = frozenset(SURNAMES) | frozenset("老小大阿")
    weights: dict[str, float] = {}
    for entry in _entries():
        kind, known = entry.kind, entry.word[0] in first or entry.word.startswith(COMPOUND)
        if known and 2 <= len(entry.word) <= 4 and entry.count >= 20 and kind[0] not in "x" and kind not in _NAMES:
            weights[entry.word] = entry.count**0.5
    return Choice(weights)


_NAMES = frozenset({*_PERSONS, "ns", "nt", "nz"})


@cache
def _named() -> tuple[_Entry, ...]:
    """Whole names in the dictionary: a surname and two characters."""
    known = frozenset(SURNAMES)
    return tuple(e for e in _entries() if e.kind == "nr" and len(e.word) == 3 and e.word[0] in known)


@cache
def given_names() -> Choice:
    """Given names of two characters that occur in the dictionary."""
    found: Counter[str] = Counter(entry.word[1:] for entry in _named())
    return Choice({name: float(count) for name, count in sorted(found.items())})


@cache
def given_characters() -> Choice:
    """Characters of given names, as often as the dictionary's names have them, flattened a little."""
    found: Counter[str] = Counter(itertools.chain.from_iterable(entry.word[1:] for entry in _named()))
    return Choice({c: count**0.75 for c, count in sorted(found.items()) if count >= 3})


@cache
def _kinds() -> dict[str, str]:
    usable = words()
    return {e.word: e.kind for e in _entries() if len(e.word) <= _LONGEST and e.kind in usable}


_LONGEST = 6


@cache
def segmented(text: str) -> tuple[tuple[str, str], ...]:
    """Words with their part of speech by longest match from the left; what the dictionary lacks has the part `""`."""
    kinds, found, at = _kinds(), [], 0
    while at < len(text):
        word = next((text[at:end] for end in range(at + _LONGEST, at + 1, -1) if text[at:end] in kinds), text[at])
        found.append((word, kinds.get(word, "")))
        at += len(word)
    return tuple(found)


@cache
def _table(name: str) -> dict[int, str]:
    """Character for character; of several the first, which is the commonest."""
    lines = files("opencc").joinpath("dictionary", name).read_text("utf-8").splitlines()
    pairs = (line.split("\t") for line in lines if "\t" in line)
    return {ord(one): many.split(" ")[0] for one, many in pairs if len(one) == 1}


def traditional(text: str) -> str:
    """The text in traditional characters, one for one: offsets stay."""
    return text.translate(_table("STCharacters.txt"))


def simplified(text: str) -> str:
    """The text in simplified characters, one for one."""
    return text.translate(_table("TSCharacters.txt"))
