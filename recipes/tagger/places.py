"""Places and postal addresses of many countries. Well-known places stand in every part, Faker's long lists are split."""

import importlib
import random
from collections.abc import Iterable
from functools import cache

from .identities import Part, fold, identity, word_part
from .words import (
    AUSTRALIAN_STATES,
    CANADIAN_PROVINCES,
    CITIES,
    COUNTRIES,
    LANDMARKS,
    REGIONS,
    STREET_NAMES,
    UK_STREETS,
    US_STATES,
    US_STREETS,
    words,
)

_FAKER = {
    "cities": words(
        "cs_CZ de_AT de_CH de_DE en_IN fr_DZ hr_HR id_ID it_IT nl_BE nl_NL pl_PL pt_PT ro_RO sk_SK sl_SI sv_SE fi_FI zu_ZA"
    ),
    "streets": words("cs_CZ da_DK hr_HR id_ID pl_PL sk_SK sl_SI vi_VN zu_ZA"),
}


@cache
def _faker(attribute: str, locale: str, part: Part) -> tuple[str, ...]:
    """Names of a Faker list in Latin script, of letters alone, in a part by the hash of the whole name."""
    provider = importlib.import_module(f"faker.providers.address.{locale}").Provider
    values: Iterable[str] = getattr(provider, attribute, None) or provider.street_names
    kept = (v for v in set(values) if 3 <= len(v) <= 24 and fold(v).replace(" ", "").replace("-", "").isalpha())
    return tuple(sorted(v for v in kept if all(ord(c) < 0x250 for c in v) and word_part(v) == part))


@cache
def _locales(attribute: str, part: Part) -> tuple[str, ...]:
    """Locales that have places of the kind in a part."""
    return tuple(locale for locale in _FAKER[attribute] if _faker(attribute, locale, part))


def city(rng: random.Random, part: Part) -> str:
    """A city, town or village somewhere in the world."""
    if rng.random() < 0.7:
        return rng.choice(CITIES)
    return rng.choice(_faker("cities", rng.choice(_locales("cities", part)), part))


def location(rng: random.Random, part: Part) -> str:
    """Any kind of place that has a name."""
    draw = rng.random()
    if draw < 0.45:
        return city(rng, part)
    return rng.choice(COUNTRIES if draw < 0.7 else REGIONS if draw < 0.9 else LANDMARKS)


def _last(rng: random.Random, part: Part, origin: str | None = None) -> str:
    return identity(rng, part, origin).last


def _name(rng: random.Random, part: Part) -> str:
    """What an English-speaking street is named after."""
    if rng.random() < 0.75:
        return rng.choice(STREET_NAMES)
    return _last(rng, part, "north_america")


def _digits(rng: random.Random, pattern: str) -> str:
    """`#` is a digit, `@` a capital letter."""
    return "".join(
        rng.choice("0123456789") if c == "#" else rng.choice("ABCDEFGHJKLMNPRSTUVWXYZ") if c == "@" else c
        for c in pattern
    )


def _american(rng: random.Random, part: Part) -> list[str]:
    street = f"{rng.randint(1, 9999)} {rng.choice(['', '', '', 'N ', 'S. ', 'West '])}{_name(rng, part)} {rng.choice(US_STREETS)}"
    if rng.random() < 0.2:
        street = f"{rng.randint(1, 999)} {rng.choice(['5th', '42nd', '1st', '23rd', '114th', 'E 9th', 'West 3rd'])} {rng.choice(US_STREETS)}"
    if rng.random() < 0.35:
        flat = f"{rng.choice(['Apt', 'Apt.', 'Suite', 'Unit', '#', 'Ste'])} {_digits(rng, rng.choice(['#', '##', '###', '#@']))}"
        street += rng.choice([", ", " "]) + flat.replace("# ", "#")
    if rng.random() < 0.05:
        street = f"P.O. Box {rng.randint(10, 9999)}"
    if rng.random() < 0.15:
        return [street, f"{city(rng, part)} {rng.choice(CANADIAN_PROVINCES)} {_digits(rng, '@#@ #@#')}"]
    return [
        street,
        f"{city(rng, part)}, {rng.choice(US_STATES)} {_digits(rng, rng.choice(['#####', '#####', '#####-####']))}",
    ]


def _british(rng: random.Random, part: Part) -> list[str]:
    street = f"{rng.randint(1, 240)}{rng.choice(['', '', '', 'a', 'B'])} {_name(rng, part)} {rng.choice(UK_STREETS)}"
    if rng.random() < 0.3:
        street = f"{rng.choice(['Flat', 'Unit', 'Apartment', 'Floor'])} {rng.randint(1, 40)}, {street}"
    postcode = _digits(rng, rng.choice(["@# #@@", "@## #@@", "@@# #@@", "@@## #@@", "@#@ #@@"]))
    return [street, city(rng, part), postcode] if rng.random() < 0.6 else [street, f"{city(rng, part)} {postcode}"]


def _continental(rng: random.Random, part: Part) -> list[str]:
    """Number behind the street, postcode before the town."""
    style = rng.randrange(8)
    number = f"{rng.randint(1, 180)}{rng.choice(['', '', '', 'a', ' B', '-3', '/12'])}"
    last = _last(rng, part, "western_europe")
    if style == 0:
        street = rng.choice(
            ["Bahnhof", "Haupt", "Schul", "Garten", "Linden", "Berg", "Kirch", "Wald", "Goethe", "Rosen", last]
        )
        return [
            f"{street}{rng.choice(['straße', 'str.', 'strasse', 'weg', 'gasse', 'platz', 'allee'])} {number}",
            f"{_digits(rng, '#####')} {city(rng, part)}",
        ]
    if style == 1:
        kind = rng.choice(["rue", "avenue", "boulevard", "place", "chemin", "impasse", "allée", "quai"])
        name = rng.choice(
            ["de la République", "des Lilas", "du Moulin", "Victor Hugo", "de l'Église", "Pasteur", f"de {last}"]
        )
        return [
            f"{rng.randint(1, 200)}{rng.choice(['', ' bis', ','])} {kind} {name}",
            f"{_digits(rng, '#####')} {city(rng, part)}",
        ]
    if style == 2:
        kind = rng.choice(["Via", "Viale", "Piazza", "Corso", "Vicolo"])
        return [
            f"{kind} {rng.choice(['Garibaldi', 'Roma', 'Dante', 'Mazzini', 'Verdi', last])} {number}",
            f"{_digits(rng, '#####')} {city(rng, part)}",
        ]
    if style == 3:
        kind = rng.choice(["Calle", "C/", "Avenida", "Plaza", "Paseo", "Carrer"])
        name = rng.choice(["Mayor", "de Alcalá", "del Sol", "San Juan", "de la Paz", last])
        return [
            f"{kind} {name}, {number}{rng.choice(['', ', 2º B', ', 4ºA'])}",
            f"{_digits(rng, '#####')} {city(rng, part)}",
        ]
    if style == 4:
        street = rng.choice(["Kerk", "Dorps", "Molen", "Stations", "School", "Prins Hendrik", "Heren", last])
        return [
            f"{street}{rng.choice(['straat', 'laan', 'weg', 'gracht', 'plein'])} {number}",
            f"{_digits(rng, '#### @@')} {city(rng, part)}",
        ]
    if style == 5:
        street = rng.choice(
            ["Storgatan", "Kungsgatan", "Nygade", "Kirkeveien", "Mannerheimintie", "Vesterbrogade", "Drottninggatan"]
        )
        return [f"{street} {number}", f"{_digits(rng, rng.choice(['### ##', '####', '#####']))} {city(rng, part)}"]
    if style == 6:
        kind = rng.choice(["Rua", "Avenida", "Av.", "Travessa", "Largo"])
        name = rng.choice(["das Flores", "da Liberdade", "Augusta", "do Carmo", "Paulista", f"de {last}"])
        return [f"{kind} {name}, {number}", f"{_digits(rng, rng.choice(['####-###', '#####-###']))} {city(rng, part)}"]
    locale = rng.choice(_locales("streets", part))
    return [
        f"{rng.choice(['', '', 'ul. '])}{rng.choice(_faker('streets', locale, part))} {number}",
        f"{_digits(rng, rng.choice(['## ###', '##-###', '#####']))} {city(rng, part)}",
    ]


def _elsewhere(rng: random.Random, part: Part) -> list[str]:
    style = rng.randrange(9)
    n, town = rng.randint(1, 320), city(rng, part)
    if style == 0:
        area = rng.choice(
            [
                "MG Road",
                "Sector 14",
                "Andheri West",
                "Banjara Hills",
                "Lajpat Nagar",
                "Anna Nagar",
                "Gandhi Chowk",
                "Salt Lake",
            ]
        )
        return [
            f"{rng.choice(['H.No.', 'Flat', 'Plot No.', 'Door No'])} {n}, {area}",
            f"{town} {rng.choice(['-', '- ', ''])}{_digits(rng, '######')}",
        ]
    if style == 1:
        return [
            f"{rng.choice(['House', 'Plot', 'Shop'])} {n}, Street {rng.randint(1, 40)}, {rng.choice(['Phase', 'Block', 'Sector'])} {rng.choice('123ABCF')}",
            town,
        ]
    if style == 2:
        kind = rng.choice(
            [
                "Nanjing Road",
                "Renmin Road",
                "Zhongshan Road",
                "Jianguo Road",
                "Fuxing Road",
                "Nathan Road",
                "Queen's Road Central",
            ]
        )
        return [
            f"{rng.choice(['No. ', '', 'Room 1204, '])}{n} {kind}{rng.choice(['', ' East', ' West'])}",
            f"{rng.choice(['Pudong', 'Chaoyang', 'Tianhe', 'Futian'])} District, {town}",
        ]
    if style == 3:
        ward = rng.choice(["Shinjuku-ku", "Minato-ku", "Naka-ku", "Shibuya-ku", "Kita-ku"])
        return [
            f"{rng.randint(1, 9)}-{rng.randint(1, 30)}-{rng.randint(1, 20)} {rng.choice(['Ginza', 'Nishi', 'Honcho', 'Akasaka'])}, {ward}",
            f"{town} {_digits(rng, '###-####')}",
        ]
    if style == 4:
        return [
            f"{n} {rng.choice(['Teheran-ro', 'Sejong-daero', 'Gangnam-daero', 'Hangang-daero'])}, {rng.choice(['Gangnam-gu', 'Jung-gu', 'Mapo-gu'])}",
            f"{town} {_digits(rng, '#####')}",
        ]
    if style == 5:
        return [
            f"{rng.choice(['Plot', 'No.', 'House'])} {n}, {_last(rng, part, 'sub_saharan_africa')} {rng.choice(['Street', 'Road', 'Crescent', 'Close', 'Avenue'])}",
            town,
        ]
    if style == 6:
        return [
            f"{rng.choice(['Villa', 'Office', 'Apt'])} {n}, Al {rng.choice(['Wasl', 'Nahda', 'Barsha', 'Olaya', 'Tahlia'])} {rng.choice(['Street', 'Road', 'District'])}",
            f"P.O. Box {rng.randint(100, 99999)}, {town}",
        ]
    if style == 7:
        return [
            f"{n}/{rng.randint(1, 60)} {rng.choice(['Sukhumvit Soi', 'Nguyen Hue', 'Le Loi', 'Jalan Merdeka No.', 'Jalan Ampang', 'Rizal Avenue,'])} {rng.randint(1, 90)}",
            f"{town} {_digits(rng, '#####')}",
        ]
    return [
        f"{rng.choice(['', 'Unit 4/'])}{n} {_name(rng, part)} {rng.choice(['Street', 'Parade', 'Road', 'Esplanade', 'Crescent', 'Highway'])}",
        f"{town} {rng.choice(AUSTRALIAN_STATES)} {_digits(rng, '####')}",
    ]


def address_lines(rng: random.Random, part: Part) -> list[str]:
    """A postal address as its lines, in the style of some country."""
    style = rng.choice([_american, _american, _british, _british, _continental, _continental, _elsewhere, _elsewhere])
    lines = style(rng, part)
    return [*lines, rng.choice(COUNTRIES)] if rng.random() < 0.2 else lines


def street(rng: random.Random, part: Part) -> str:
    """The first line of an address."""
    return address_lines(rng, part)[0]
