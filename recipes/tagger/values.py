"""Values of the slots that are not people or places: organisations, dates, groups, titles, and what carries no label."""

import random
from datetime import date, timedelta

from .identities import Identity, Part, identity
from .places import city
from .words import (
    COMPANIES,
    COUNTRIES,
    DAYS,
    FIELDS,
    FORMS,
    FUTURE,
    MONTHS,
    NATIONALITIES,
    ORGANIZATIONS,
    PAST,
    PEOPLES,
    POLITICS,
    PRODUCTS,
    RANKS,
    RELATIVE,
    RELIGIONS,
    ROLES,
    STEMS,
    TAILS,
    THINGS,
    TOPICS,
    words,
)


def company(rng: random.Random, part: Part) -> str:
    """A company: made up by several patterns, or a well-known one."""
    draw = rng.random()
    stem = rng.choice(STEMS)
    form = rng.choice(FORMS)
    if draw < 0.2:
        return rng.choice(COMPANIES) if rng.random() < 0.7 else rng.choice(ORGANIZATIONS)
    if draw < 0.4:
        return f"{stem} {rng.choice(FIELDS)}" + (f" {form}" if rng.random() < 0.35 else "")
    if draw < 0.52:
        return f"{stem}{rng.choice(TAILS)}" + (f" {form}" if rng.random() < 0.3 else "")
    last = identity(rng, part).last
    if draw < 0.64:
        return f"{last} {rng.choice(['& Sons', '& Co.', 'Brothers', rng.choice(FIELDS), form, 'and Daughters', 'Associates'])}"
    if draw < 0.78:
        other = identity(rng, part).last
        pair = rng.choice(
            [f"{last} & {other}", f"{last} and {other}", f"{last}-{other}", f"{last}, {other} & Partners"]
        )
        return pair + (f" {rng.choice([form, 'LLP', 'Law', 'Architects'])}" if rng.random() < 0.4 else "")
    if draw < 0.9:
        return f"{city(rng, part)} {rng.choice(FIELDS)}" + (f" {form}" if rng.random() < 0.4 else "")
    return "".join(rng.choice("ABCDEGIKLMNPRSTUX") for _ in range(rng.choice([3, 3, 4]))) + rng.choice(
        ["", " Group", f" {form}", " Bank"]
    )


def institution(rng: random.Random, part: Part, kind: str) -> str:
    """A hospital, university, school, agency, bank or club."""
    town, last, stem = city(rng, part), identity(rng, part).last, rng.choice(STEMS)
    saint = rng.choice(
        ["St. Mary's", "St Thomas'", "St. Luke's", "Sacred Heart", "Mercy", "Queen Elizabeth", "Good Hope"]
    )
    patterns = {
        "hospital": [
            f"{town} General Hospital",
            f"{saint} Hospital",
            f"{last} Clinic",
            f"{town} Medical Center",
            f"{stem} Health Centre",
            f"{town} Children's Hospital",
            f"{saint} Infirmary",
            f"Klinikum {town}",
        ],
        "university": [
            f"University of {town}",
            f"{town} University",
            f"{last} College",
            f"{town} Institute of Technology",
            f"{stem} University",
            f"{saint} College",
            f"Technical University of {town}",
            f"{town} Business School",
        ],
        "school": [f"{town} High School", f"{last} Elementary School", f"{saint} Primary School", f"{stem} Academy"],
        "agency": [
            f"{town} City Council",
            f"{town} Police Department",
            f"Ministry of {rng.choice(['Finance', 'Education', 'Transport'])}",
            rng.choice(
                [
                    "Department of Labor",
                    "Home Office",
                    "HM Revenue",
                    "IRS",
                    "Environment Agency",
                    "Federal Tax Office",
                    "USCIS",
                ]
            ),
            f"{town} District Court",
            f"{rng.choice(COUNTRIES)} Embassy",
            f"{town} Housing Authority",
            f"{town} Fire Service",
        ],
        "bank": [f"Bank of {town}", f"{stem} Bank", f"{town} Savings Bank", f"{stem} Credit Union", f"{last} Bank"],
        "club": [
            f"{town} FC",
            f"FC {town}",
            f"{town} United",
            f"{town} Rowing Club",
            f"{stem} Foundation",
            f"{stem} Theatre",
            f"The {last} Foundation",
            f"{town} Chess Club",
            f"{town} Tigers",
            f"Café {stem}",
            f"{stem} Trust",
            f"{stem} Records",
        ],
    }
    return rng.choice(patterns[kind])


def group(rng: random.Random, kind: str) -> str:
    """A nationality, religion or political group: as an adjective, or `people` as a plural."""
    if kind == "people":
        return rng.choice(PEOPLES)
    if kind == "religion":
        return rng.choice(RELIGIONS)
    if kind == "politics":
        return rng.choice(POLITICS)
    if kind == "nationality":
        return rng.choice(NATIONALITIES)
    return rng.choice(rng.choice([NATIONALITIES, NATIONALITIES, NATIONALITIES, RELIGIONS, POLITICS]))


_TITLES = {
    "female": words("Ms Ms. Mrs Mrs. Miss Ms. Mrs. Ms Madam Lady Sister Dame"),
    "male": words("Mr Mr. Mr Mr. Mr. Mister Sir Father Brother Lord"),
}


def title(rng: random.Random, person: Identity, kind: str = "title") -> str:
    """A form of address before a name; `doctor`: academic and medical ones."""
    if kind == "doctor":
        return rng.choice(["Dr", "Dr.", "Dr.", "Prof.", "Doctor", "Professor", "Prof"])
    return rng.choice(_TITLES[person.gender]) if rng.random() < 0.65 else rng.choice(RANKS)


def _day(rng: random.Random, first: int, last: int) -> date:
    return date(first, 1, 1) + timedelta(days=rng.randrange((last - first + 1) * 365))


def _ordinal(number: int) -> str:
    return f"{number}{'th' if 10 <= number % 100 <= 20 else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def when(rng: random.Random, kind: str) -> str:
    """A date or time in one of its many spellings."""
    d = _day(rng, *((1935, 2015) if kind == "dob" else (2009, 2031)))
    month, weekday = MONTHS[d.month - 1], DAYS[d.weekday()]
    hour, minute = rng.randrange(24), rng.choice([0, 0, 15, 30, 45, rng.randrange(60)])
    half = "am" if hour < 12 else "pm"
    if kind == "weekday":
        return rng.choice(
            [
                weekday,
                weekday,
                f"next {weekday}",
                f"last {weekday}",
                f"{weekday} morning",
                f"{weekday} afternoon",
                weekday[:3],
            ]
        )
    if kind in ("relative", "past", "future"):
        return rng.choice({"relative": RELATIVE, "past": PAST, "future": FUTURE}[kind])
    if kind == "month":
        return rng.choice(
            [month, f"{month} {d.year}", f"{month[:3]} {d.year}", f"early {month}", f"Q{rng.randint(1, 4)} {d.year}"]
        )
    if kind == "year":
        return str(d.year - rng.choice([0, 0, 5, 20, 45]))
    if kind == "time":
        twelve = (hour - 1) % 12 + 1
        return rng.choice(
            [
                f"{twelve} {half}",
                f"{twelve}{half}",
                f"{twelve}:{minute:02} {half}",
                f"{hour:02}:{minute:02}",
                f"{hour}:{minute:02}",
                f"{twelve}:{minute:02}{half.upper()}",
                f"{twelve} o'clock",
                "noon",
                f"half past {twelve}",
                f"{twelve} p.m.",
                f"{hour:02}:{minute:02} {rng.choice(['UTC', 'GMT', 'CET', 'EST', 'PST'])}",
                f"quarter to {twelve}",
                "midnight",
            ]
        )
    if kind == "iso":
        clock = f"{hour:02}:{minute:02}:{rng.randrange(60):02}"
        return rng.choice(
            [
                f"{d}T{clock}Z",
                f"{d} {clock}",
                f"{d}T{clock}+00:00",
                f"{d:%Y/%m/%d} {clock}",
                f"{d} {clock},{rng.randrange(1000):03}",
            ]
        )
    spellings = [
        *(
            f"{d.day} {month} {d.year}",
            f"{month} {d.day}, {d.year}",
            f"{d:%d/%m/%Y}",
            f"{d:%m/%d/%Y}",
            f"{d}",
            f"{d:%d.%m.%Y}",
        ),
        *(
            f"{d.day} {month[:3]} {d.year}",
            f"{month[:3]} {d.day}, {d.year}",
            f"{d:%d-%m-%Y}",
            f"{d:%d-%b-%Y}",
            f"{d.month}/{d.day}/{d:%y}",
        ),
        *(f"{_ordinal(d.day)} {month} {d.year}", f"the {_ordinal(d.day)} of {month} {d.year}"),
    ]
    if kind != "dob":
        spellings += [
            f"{month} {d.day}",
            f"{d.day} {month}",
            f"{month} {_ordinal(d.day)}",
            f"{weekday}, {month} {d.day}",
            f"{weekday} {d.day} {month[:3]}",
        ]
        spellings += [f"the {_ordinal(d.day)} of {month}", f"{d.day}/{d.month}", f"{month[:3]} {d.day}"]
    return rng.choice(spellings)


def plain(rng: random.Random, kind: str, person: Identity) -> str:
    """A value that carries no label."""
    if kind == "email":
        first, last = (part.split()[0].lower().replace("'", "") for part in (person.first, person.last))
        user = rng.choice(
            [
                f"{first}.{last}",
                f"{first[0]}{last}",
                f"{first}{rng.randrange(100)}",
                f"{last}_{first}",
                "info",
                "support",
            ]
        )
        user = "".join(c for c in user if c.isascii())
        return f"{user}@{rng.choice(['example.com', 'gmail.com', 'outlook.com', 'mail.example.org', 'acme.io', 'corp.example.net'])}"
    if kind == "phone":
        form = rng.choice(
            [
                "+## ### ### ####",
                "(###) ###-####",
                "###-###-####",
                "0## ### ## ##",
                "+###########",
                "0#### ######",
                "1-800-###-####",
            ]
        )
        return "".join(str(rng.randint(1, 9)) if c == "#" else c for c in form)
    if kind == "amount":
        number = rng.choice(
            [
                f"{rng.randint(1, 999)}",
                f"{rng.randint(1, 99)},{rng.randint(100, 999)}",
                f"{rng.randint(1, 999)}.{rng.randint(10, 99)}",
            ]
        )
        return rng.choice(
            [f"${number}", f"€{number}", f"£{number}", f"{number} EUR", f"{number} USD", f"{number} KES", f"₹{number}"]
        )
    if kind == "id":
        form = rng.choice(
            ["######", "@@-#####", "#######", "@@@###", "INC#######", "PO-####", "@#@#@#", "####-####", "#@@##@"]
        )
        return "".join(
            str(rng.randrange(10)) if c == "#" else rng.choice("ABCDEFGHKMNPRSTX") if c == "@" else c for c in form
        )
    if kind == "url":
        return rng.choice(["https://example.com/", "www.example.org/", "http://intranet.local/"]) + rng.choice(
            ["faq", "t/1842", "docs?id=7", "login", "a/b.html"]
        )
    if kind == "number":
        return str(rng.choice([rng.randint(2, 12), rng.randint(10, 99), rng.randint(100, 5000)]))
    if kind == "ip":
        return ".".join(str(rng.randrange(1, 255)) for _ in range(4))
    if kind == "hex":
        return "".join(rng.choice("0123456789abcdef") for _ in range(rng.choice([7, 8, 12, 16])))
    if kind == "version":
        return f"{rng.randint(0, 12)}.{rng.randint(0, 30)}.{rng.randint(0, 9)}"
    return rng.choice({"product": PRODUCTS, "word": THINGS, "role": ROLES, "topic": TOPICS}[kind])


PLAIN = ("email", "phone", "amount", "id", "url", "number", "ip", "hex", "version", "product", "word", "role", "topic")
INSTITUTIONS = ("hospital", "university", "school", "agency", "bank", "club")


def organization(rng: random.Random, part: Part) -> str:
    """Any organisation; companies twice as often as the rest."""
    return company(rng, part) if rng.random() < 0.67 else institution(rng, part, rng.choice(INSTITUTIONS))
