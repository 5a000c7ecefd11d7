"""People by region of origin: names from Faker's lists and from `names`, split into parts by a hash of every word.

A word of a name (folded: no accents, no case) belongs to one part for ever: a name is used in a part only if all of its
words belong to it, so that no word of a held-out name is ever seen in training.
"""

import hashlib
import importlib
import random
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Literal

from .names import ROMANISED
from .words import words

Part = Literal["train", "validation", "test"]
Gender = Literal["female", "male"]
GENDERS: tuple[Gender, Gender] = ("female", "male")

# Faker locales by region of origin (`*`: a list of `names`). A locale gives first and last names that go together.
ORIGINS: dict[str, tuple[str, ...]] = {
    "western_europe": words(
        "en_GB en_IE de_DE de_AT de_CH fr_FR fr_BE nl_NL nl_BE it_IT es_ES pt_PT sv_SE da_DK no_NO fi_FI"
    ),
    "eastern_europe": words("*russian *ukrainian *polish *balkan cs_CZ sk_SK hr_HR sl_SI ro_RO hu_HU lv_LV et_EE"),
    "north_america": words("en_US en_US fr_CA"),
    "latin_america": words("es_MX es_AR es_CL es_CO pt_BR"),
    "middle_east_north_africa": words("*arabic *arabic *persian *hebrew fr_DZ tr_TR"),
    "sub_saharan_africa": words("en_KE yo_NG ig_NG sw tw_GH zu_ZA *west_african *southern_african *ethiopian_somali"),
    "south_asia": words("en_IN en_IN *bengali *lankan_tamil *pakistani"),
    "east_asia": words("*chinese *chinese *japanese *korean"),
    "south_east_asia": words("*vietnamese *thai *filipino *malay id_ID"),
    "oceania": words("*pacific en_NZ"),
}

# Words inside names that stand in every part.
PARTICLES = frozenset(
    words(
        "de del dela della di da das do dos du la le las los van von den der het ten ter bin binti bint ibn abu al el "
        "ben te o mac mc st y e i san ah thi"
    )
)
_WORDS = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Identity:
    """A generated person. `second` is a second last name, `middle` a second first name of the same list."""

    first: str
    middle: str
    last: str
    second: str
    gender: Gender
    origin: str
    family_first: bool


# Letters that do not come apart into a plain one and its accent.
_PLAIN = str.maketrans("łøđħı", "lodhi")


def fold(word: str) -> str:
    """Case and accents away: `José` and `JOSE` are one name."""
    letters = unicodedata.normalize("NFKD", word.casefold().translate(_PLAIN))
    return "".join(c for c in letters if not unicodedata.combining(c))


@cache
def word_part(word: str) -> Part:
    """The part that a word of a name belongs to: a tenth validation, a fifth test."""
    number = int.from_bytes(hashlib.sha256(fold(word).encode()).digest()[:4], "big") % 20
    return "validation" if number < 2 else "test" if number < 6 else "train"


def name_words(name: str) -> list[str]:
    """The words of a name that decide its part: all but particles and initials."""
    return [w for w in _WORDS.findall(fold(name)) if len(w) > 1 and w not in PARTICLES]


def in_part(name: str, part: Part) -> bool:
    """Whether every word of a name belongs to a part."""
    deciding = name_words(name)
    return bool(deciding) and all(word_part(word) == part for word in deciding)


def _latin(name: str) -> bool:
    """Latin letters with spaces, hyphens and apostrophes; short enough to be one name."""
    return 2 <= len(name) <= 24 and all(ord(c) < 0x250 or 0x1E00 <= ord(c) < 0x1F00 for c in name)


def _clean(names: Iterable[str]) -> tuple[str, ...]:
    """Latin-script names once each, in code point order: Faker's own order may change."""
    return tuple(sorted({name for name in names if _latin(name) and not any(c.isdigit() for c in name)}))


@cache
def _lists(locale: str) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Women's first names, men's first names, women's last names, men's last names of a locale."""
    if locale.startswith("*"):
        women, men, last = ROMANISED[locale[1:]]
        pairs = [name.split("/") for name in last]
        return _clean(women), _clean(men), _clean(p[0] for p in pairs), _clean(p[-1] for p in pairs)
    provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
    women, men, last = provider.first_names_female, provider.first_names_male, provider.last_names
    by_gender = [getattr(provider, f"last_names_{gender}", None) or last for gender in GENDERS]
    return _clean(women), _clean(men), _clean(by_gender[0]), _clean(by_gender[1])


@cache
def first_names(locale: str, gender: Gender, part: Part) -> tuple[str, ...]:
    """First names of a locale in a part."""
    return tuple(n for n in _lists(locale)[GENDERS.index(gender)] if in_part(n, part))


@cache
def last_names(locale: str, gender: Gender, part: Part) -> tuple[str, ...]:
    """Last names of a locale in a part."""
    return tuple(n for n in _lists(locale)[2 + GENDERS.index(gender)] if in_part(n, part))


@cache
def _locales(origin: str, part: Part) -> tuple[str, ...]:
    """The locales of an origin whose four lists all have names in a part."""
    return tuple(
        locale
        for locale in ORIGINS[origin]
        if all(names(locale, gender, part) for gender in GENDERS for names in (first_names, last_names))
    )


def identity(rng: random.Random, part: Part, origin: str | None = None, gender: Gender | None = None) -> Identity:
    """A person whose names belong to `part`; origin and gender drawn evenly where not given."""
    region = origin or rng.choice(list(ORIGINS))
    drawn = rng.choice(GENDERS) if gender is None else gender
    locale = rng.choice(_locales(region, part))
    first, last = first_names(locale, drawn, part), last_names(locale, drawn, part)
    return Identity(
        first=rng.choice(first),
        middle=rng.choice(first),
        last=rng.choice(last),
        second=rng.choice(last),
        gender=drawn,
        origin=region,
        family_first=locale in {"*chinese", "*japanese", "*korean", "*vietnamese"} and rng.random() < 0.5,
    )
