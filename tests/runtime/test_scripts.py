"""Which script a text is in, and whose claim counts where two taggers read it: against an oracle by character."""

import itertools
import unicodedata
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from cloister.runtime import Entity
from cloister.runtime.scripts import Script, has, merged, runs

LETTERS = st.sampled_from("abZéœÿȜẞＡｚ张伟々〇\uf900𠀀")
CHARACTERS = st.one_of(LETTERS, LETTERS, st.sampled_from(" 1,-，。@яあ한\ud800"))


@st.composite
def claimed(draw: st.DrawFn) -> tuple[str, dict[Script, list[Entity]]]:
    """A text, and what two taggers found in it: spans in order, without overlaps, as a tagger gives them."""
    text = draw(st.text(CHARACTERS, min_size=1, max_size=40))
    found: dict[Script, list[Entity]] = {}
    for script, label in ((Script.latin, "L"), (Script.han, "H")):
        cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=8, unique=True)))
        pairs = [(cuts[i], cuts[i + 1]) for i in range(0, len(cuts) - 1, draw(st.sampled_from([1, 2])))]
        found[script] = [Entity(start, end, text[start:end], label, 0.9) for start, end in pairs]
    return text, found


def owner(text: str, at: int) -> Script | None:
    """By the names of the characters: the last letter up to here, else the first one after."""

    def script(character: str) -> Script | None:
        name = unicodedata.name(character, "")
        if "LATIN" in name and character.isalpha():
            return Script.latin
        return Script.han if name.startswith("CJK ") or character in "々〇" else None

    letters = [(place, s) for place, c in enumerate(text) if (s := script(c)) is not None]
    before = [s for place, s in letters if place <= at]
    return before[-1] if before else letters[0][1] if letters else None


def covered(entities: Sequence[Entity]) -> dict[int, str]:
    return {at: entity.label for entity in entities for at in range(entity.start, entity.end)}


@given(st.text(CHARACTERS, max_size=40))
def test_runs_cover_the_text_and_alternate(text: str) -> None:
    found = list(runs(text))
    assert "".join(text[start:end] for _, start, end in found) == (text if found else "")
    assert all(one[0] != other[0] for one, other in itertools.pairwise(found))
    assert all(owner(text, at) == script for script, start, end in found for at in range(start, end))
    assert {script for script, _, _ in found} == {script for script in Script if has(text, script)}


@given(claimed())
def test_the_tagger_of_the_script_has_what_both_claim(case: tuple[str, dict[Script, list[Entity]]]) -> None:
    text, found = case
    result = covered(merged(text, dict(found)))
    latin, han = covered(found[Script.latin]), covered(found[Script.han])
    for at, character in enumerate(text):
        claims = latin.get(at), han.get(at)
        if not character.isalnum():
            continue  # space at the ends of a piece is left out
        if all(claims) and owner(text, at) is not None:
            assert result[at] == ("L" if owner(text, at) is Script.latin else "H")
        elif owner(text, at) is not None:
            assert result.get(at) == (claims[0] or claims[1])


@given(claimed())
def test_what_comes_out_is_in_order_exact_and_disjoint(case: tuple[str, dict[Script, list[Entity]]]) -> None:
    text, found = case
    result = merged(text, dict(found)) if any(has(text, script) for script in Script) else []
    assert all(entity.text == text[entity.start : entity.end] for entity in result)
    assert all(one.end <= other.start for one, other in itertools.pairwise(result))


def test_digits_and_punctuation_have_no_script() -> None:
    for text in ("", "12, 34 (5)", "１２、３。", "\ud800", "привет", "ひらがな", "한국"):
        assert not any(has(text, script) for script in Script)
