from __future__ import annotations

import base64
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloister.privacy.decode import GATES, decode
from cloister.privacy.text import View, fold

ALL = frozenset(GATES)


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("４１１１", "4111"),
        ("٤١١١", "4111"),
        ("𝟒𝟏𝟏𝟏", "4111"),
        ("4\u200b1\u00ad1\ufeff1", "4111"),
        ("41\u00a011\u3000–−", "41 11 --"),
        ("ｂｏｂ＠ｅ．ｃｏｍ", "bob@e.com"),
        ("аlice", "alice"),
        ("①㏕", "1mil"),
        ("plain ASCII", "plain ASCII"),
    ],
)
def test_fold(written: str, plain: str) -> None:
    assert fold(written).text == plain


def test_ascii_is_returned_as_it_is() -> None:
    text = "some ASCII"
    view = fold(text)
    assert view.text is text
    assert view.starts is None


@given(st.text(alphabet=st.characters(), max_size=60))
def test_every_folded_character_knows_where_it_comes_from(text: str) -> None:
    view = fold(text)
    view.text.encode()
    last = 0
    for index in range(len(view.text)):
        start, end = view.original(index, index + 1)
        assert last <= start < end <= len(text)
        last = start
        assert view.text[index] in fold(text[start:end]).text


@pytest.mark.parametrize(
    ("encoded", "plain"),
    [
        ("a %34%31%31-%31 b", "a 411-1 b"),
        ("&#52;&#x31;&amp;", "41&"),
        ("\\u0034\\x31\\/", "41/"),
        ("=34=31=\n=31=34 x", "4114 x"),
        ("bob (at) example [dot] com", "bob@example.com"),
        ("bob at example dot com", "bob@example.com"),
        ("415 dash 555 dash 0132", "415-555-0132"),
        ("x " + base64.b64encode(b"alice@example.com").decode(), "x alice@example.com"),
        (b"alice@example.com".hex(), "alice@example.com"),
        (urllib.parse.quote_plus("4111 1111"), "4111 1111"),
    ],
)
def test_decode(encoded: str, plain: str) -> None:
    view = decode(fold(encoded), ALL)
    assert view is not None
    assert view.text == plain


def test_what_is_not_encoded_has_no_deeper_view() -> None:
    assert decode(fold("Look at the point; nothing hides here."), ALL) is None


@given(st.text(alphabet="ab1 %&#;=\\ux0123456789ABCDEF+(at)dot\n号", max_size=80))
def test_decoded_characters_know_where_they_come_from(text: str) -> None:
    view: View | None = fold(text)
    for _ in range(2):
        assert view is not None
        view = decode(view, ALL)
        if view is None:
            return
        last = 0
        for index in range(len(view.text)):
            start, end = view.original(index, index + 1)
            assert last <= start < end <= len(text)
            last = start


def test_views_do_not_show_their_text() -> None:
    assert "4111" not in repr(fold("４４１１１"))
