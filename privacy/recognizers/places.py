"""Street addresses in English, dates of birth and ages in both languages."""

from __future__ import annotations

from . import validate as check
from .model import Recognizer

__all__ = ["RECOGNIZERS"]

_KIND = (
    r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl|Square|Sq|Terrace|Ter|Way|Parkway|Pkwy|Highway|Hwy|Circle|Cir|Crescent|Close|Row|Alley|Trail|Mews|Grove|Gardens)"
)  # fmt: skip
_MONTH = r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)"
_DATE = (
    r"(?:[0-9]{4}[ \t]?[-./年 _][ \t]?[0-9]{1,2}[ \t]?[-./月 _][ \t]?[0-9]{1,2}日?|[0-9]{1,2}[ \t]?[-./ _][ \t]?[0-9]{1,2}[ \t]?[-./ _][ \t]?(?:[0-9]{4}|[0-9]{2})"
    rf"|[0-9]{{1,2}}(?:st|nd|rd|th)?[ \t](?:of[ \t])?{_MONTH}\.?,?[ \t][0-9]{{4}}|{_MONTH}\.?[ \t][0-9]{{1,2}}(?:st|nd|rd|th)?,?[ \t][0-9]{{4}}|(?:19|20)[0-9]{{6}})"
)
# The first character stands outside of the caseless part: the engine then skips to it.
_BORN = r"(?-i:[dDbB出生])(?:\.?o\.?b\.?|ate[ \t_]of[ \t_]birth|irth[ \t_-]?da(?:te|y)|orn(?:[ \t](?:on|in))?|生(?:日期|年月日|年月|于)?|日|于)"

RECOGNIZERS = (
    Recognizer(
        entity="STREET_ADDRESS",
        name="street_number_first",
        category="place",
        before=r"(?<![0-9A-Za-z$€£.])",
        pattern=rf"[0-9]{{1,6}}[A-Z]?(?:[ \t]|,[ \t])(?:[NSEW]\.?[ \t])?(?:[A-Z0-9][0-9A-Za-z\u00C0-\u024F.'-]{{0,24}}[ \t]){{0,3}}[A-Z0-9][0-9A-Za-z.'-\u00C0-\u024F]{{0,23}}[0-9A-Za-z.'-][ \t]{_KIND}(?![0-9A-Za-z\u00C0-\u024F])\.?"
        rf"(?:,?[ \t\n]{{1,2}}(?:Apt|Suite|Ste|Unit|Floor|Fl|\#)\.?[ \t]?[0-9A-Z-]{{1,6}})?"
        rf"(?:,?[ \t\n]{{1,2}}[A-Z][\w.'-]{{1,20}}(?:[ \t][A-Z][\w.'-]{{1,20}}){{0,2}},?[ \t][A-Z]{{2}}[ \t][0-9]{{5}}(?:-[0-9]{{4}})?)?",
        gates=(rf"[0-9A-Za-z.'-][ \t]{_KIND}",),
        after=r"(?![0-9A-Za-z])",
        cased=True,
        score=0.7,
        languages=("en",),
        example="2450 Crown Street, Apt. 12",
        source="USPS Publication 28",
    ),
    Recognizer(
        entity="STREET_ADDRESS",
        name="post_box",
        category="place",
        pattern=r"(?:P\.?[ \t]?O\.?[ \t]?Box|Post(?:al)?[ \t]?box|PSC)[ \t][0-9]{1,6}(?:,?[ \t]Box[ \t][0-9]{1,5})?(?:[,\n\t ]{1,3}(?:APO|FPO|DPO)[ \t](?:AA|AE|AP)[ \t][0-9]{5})?",
        score=0.75,
        languages=("en",),
        example="P.O. Box 1225",
        source="USPS Publication 28",
    ),
    Recognizer(
        entity="DATE_OF_BIRTH",
        name="birth_date",
        category="date",
        before=r"(?<![A-Za-z])",
        pattern=rf"{_BORN}[^0-9\n]{{0,16}}?(?=[0-9]|[ADFJMNOS][a-z]{{2}})(?P<v>{_DATE})",
        gates=(r"(?:d\.?o\.?b\.?[^A-Za-z]|birth|born|出生|生日|生于)",),
        after=r"(?![0-9A-Za-z])",
        validate=check.date,
        validated="calendar day",
        score=0.9,
        example="born 1984-07-19",
        source="birth words and dates",
    ),
    Recognizer(
        entity="DATE_OF_BIRTH",
        name="birth_date_after",
        category="date",
        before=r"(?<![0-9A-Za-z])",
        pattern=rf"(?P<v>{_DATE})[ \t]?(?:出生|生)",
        gates=(r"[0-9日][ \t]?(?:出生|生)",),
        after=r"(?!产|效|成|活|意|物|日)",
        validate=check.date,
        validated="calendar day",
        score=0.85,
        languages=("zh",),
        example="1984年7月19日出生",
        source="birth words and dates",
    ),
    Recognizer(
        entity="AGE",
        name="age",
        category="date",
        before=r"(?<![A-Za-z])",
        pattern=r"(?:age|aged|年龄|年纪|今年)[ \t]{0,2}(?:[:=]|is|为|是|of)?[ \t]{0,2}(?P<v>[1-9][0-9]?|1[01][0-9])(?:[ \t]?(?:岁|周岁|years old))?",
        gates=(r"(?:age|aged|年龄|年纪|今年)[ \t]{0,2}(?:[:=]|is|为|是|of)?[ \t]{0,2}[1-9]",),
        after=r"(?![0-9A-Za-z年月]|[ \t]?%|\.[0-9])",
        score=0.7,
        example="aged 47",
        source="age words",
    ),
    Recognizer(
        entity="AGE",
        name="age_after",
        category="date",
        before=r"(?<![0-9A-Za-z.])",
        pattern=r"(?P<v>[1-9][0-9]?|1[01][0-9])(?:[ \t]?(?:周岁|岁)|[ \t-](?:years?|yrs?)[ \t-]old|[ \t]?y/?o\b)",
        gates=(r"[0-9][ \t-]?(?:周岁|岁|years?[ \t-]old|yrs?[ \t-]old|y/?o)",),
        after=r"",
        score=0.7,
        example="47 years old",
        source="age words",
    ),
)
