"""Real Chinese sentences without names: messages of programs, from translations that Python packages carry.

Django and Django REST framework, and JupyterLab's language packs (all BSD 3-clause). Only their data is read.
"""

from __future__ import annotations

import re
from functools import cache
from hashlib import sha256
from importlib.resources import files

from babel.messages.mofile import read_mo

__all__ = ["PACKAGES", "messages"]

PACKAGES = ("django", "djangorestframework", "jupyterlab-language-pack-zh-CN", "jupyterlab-language-pack-zh-TW")
"""Distributions that the messages come from."""

_SIMPLIFIED = (
    "django/conf/locale/zh_Hans/LC_MESSAGES/django.mo",
    "django/contrib/admin/locale/zh_Hans/LC_MESSAGES/django.mo",
    "django/contrib/admindocs/locale/zh_Hans/LC_MESSAGES/django.mo",
    "django/contrib/auth/locale/zh_Hans/LC_MESSAGES/django.mo",
    "rest_framework/locale/zh_Hans/LC_MESSAGES/django.mo",
    *(
        f"jupyterlab_language_pack_zh_CN/locale/zh_CN/LC_MESSAGES/{name}.mo"
        for name in ("jupyterlab", "jupyterlab_git", "jupyterlab_lsp", "jupyterlab_tour", "nbdime", "notebook")
    ),
)
_TRADITIONAL = (
    "django/conf/locale/zh_Hant/LC_MESSAGES/django.mo",
    "django/contrib/admin/locale/zh_Hant/LC_MESSAGES/django.mo",
    "django/contrib/auth/locale/zh_Hant/LC_MESSAGES/django.mo",
    "jupyterlab_language_pack_zh_TW/locale/zh_TW/LC_MESSAGES/jupyterlab.mo",
)
_LEAST, _MOST = 4, 90
_HAN = re.compile("[\u4e00-\u9fff]")


@cache
def messages(part: str, *, traditional: bool) -> tuple[str, ...]:
    """Lines of the messages that belong to a part: a fifth to test, a tenth to validation, by their hash."""
    return tuple(line for line in _lines(_TRADITIONAL if traditional else _SIMPLIFIED) if _part(line) == part)


def _part(line: str) -> str:
    place = sha256(line.encode()).digest()[0] % 10
    return "test" if place < 2 else "validation" if place == 2 else "train"


@cache
def _lines(paths: tuple[str, ...]) -> tuple[str, ...]:
    found: set[str] = set()
    for path in paths:
        package, _, rest = path.partition("/")
        with files(package).joinpath(rest).open("rb") as file:
            catalog = read_mo(file)
        for message in catalog:
            texts = (message.string,) if isinstance(message.string, str) else message.string or ()
            if message.id:
                found |= {line.strip() for text in texts for line in text.splitlines()}
    return tuple(sorted(x for x in found if len(x) <= _MOST and len(_HAN.findall(x)) >= _LEAST))
