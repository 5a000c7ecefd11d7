from __future__ import annotations

import json
import logging
import secrets
import subprocess
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloister import InvalidInput
from cloister.privacy import Policy, PolicyError, RedactionError, Redactor, redact_json
from cloister.privacy.policy import PRESETS
from cloister.privacy.prefilter import RegexPrefilter
from cloister.privacy.recognizers import Recognizer
from cloister.privacy.scan import Limits, Scanner

TEXT = "Call 415-555-0132 or 212-555-0199, mail bob@example.org, card 4539 5787 6362 1486."


def test_numbered_placeholders_and_restore(balanced: Redactor) -> None:
    redaction = balanced.redact(TEXT)
    assert redaction.text == "Call <PHONE_NUMBER_1> or <PHONE_NUMBER_2>, mail <EMAIL_ADDRESS_1>, card <CREDIT_CARD_1>."
    assert redaction.restore("Dial <PHONE_NUMBER_2>!") == "Dial 212-555-0199!"
    assert redaction.restore("<PHONE_NUMBER_3> <CREDIT_CARD_2>") == "<PHONE_NUMBER_3> <CREDIT_CARD_2>"
    first = redaction.spans[0]
    assert TEXT[first.start : first.end] == "415-555-0132"


def test_random_placeholders_are_no_numbers(balanced: Redactor, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter(["4661501788563665", "16922955086b5db3", "a1b2c3d4e5f60718"])  # a card, a phone's number and more
    with monkeypatch.context() as patch:
        patch.setattr(secrets, "token_hex", lambda length: next(drawn))
        (text,) = balanced.redact_together(["Call 415-555-0132"]).texts
    assert text == "Call <PHONE_NUMBER_a1b2c3d4e5f60718>"
    assert balanced.redact("<PHONE_NUMBER_4661501788563665>").spans  # else the next line shows nothing
    calls = [f"Call 415-555-{number:04d}" for number in range(500)]
    texts = balanced.redact_together(calls).texts
    assert not any(balanced.redact(text).spans for text in texts)


def test_numbers_in_the_input_are_skipped(balanced: Redactor) -> None:
    text = "See <PHONE_NUMBER_1>; call 415-555-0132."
    redaction = balanced.redact(text)
    assert redaction.text == "See <PHONE_NUMBER_1>; call <PHONE_NUMBER_2>."
    assert redaction.restore(redaction.text) == text


def test_a_number_that_comes_too_late_is_a_value_itself(balanced: Redactor) -> None:
    text = "call 415-555-0132. " + "Nothing to see in this sentence at all. " * 20 + "<PHONE_NUMBER_1>"
    redaction = balanced.redact(text)
    assert redaction.text.count("<PHONE_NUMBER_1>") == 1
    assert redaction.restore(redaction.text) == text


def test_forged_placeholders_restore_nothing_in_strict() -> None:
    redaction = Redactor("strict", tagger=None).redact(TEXT)
    forged = "<PHONE_NUMBER_1> <PHONE_NUMBER_0000000000000000>"
    assert redaction.restore(forged) == forged
    assert redaction.restore(redaction.text) == TEXT


@pytest.mark.parametrize("name", PRESETS)
def test_presets_load_and_name_themselves(name: str) -> None:
    assert Policy.load(name).name == name
    assert Redactor(name, tagger=None).redact("key AKIAQYLPMN5HFIQR7XYA").counts == {"SECRET": 1}


def test_pci_masks_cards_to_four_digits() -> None:
    assert Redactor("pci", tagger=None).redact("card 4539 5787 6362 1486").text == "card **** **** **** 1486"


@pytest.mark.parametrize(
    "text",
    [
        'default = "burn"',
        'colour = "red"',
        "[entity.EMAIL_ADDRESS]\naction = 3",
        '[entity.EMAIL_ADDRESS]\naction = "surrogate"',
        '[entity.EMAIL_ADDRESS]\naction = "hash"',
        '[keys]\nhash = "my secret"',
        '[category]\ncontakt = "replace"',
        "[stream]\nsegment = 1",
        "threshold = 2",
        '[allow]\npatterns = ["("]',
        "not toml",
    ],
)
def test_wrong_policies_are_refused(text: str) -> None:
    with pytest.raises(PolicyError) as caught:
        Policy.parse(text)
    assert caught.value.hint
    assert "my secret" not in str(caught.value)


def test_digest_leaves_keys_out(tmp_path: Path) -> None:
    body = '[entity.EMAIL_ADDRESS]\naction = "hash"\n[keys]\nhash = {{ file = "{}" }}\n'
    one, two = Policy.parse(body.format(tmp_path / "a")), Policy.parse(body.format(tmp_path / "b"))
    assert one.digest == two.digest
    assert one.digest != Policy.load("balanced").digest


def test_hash_is_keyed_and_stable(tmp_path: Path) -> None:
    policy = tmp_path / "p.toml"
    policy.write_text(f'[entity.EMAIL_ADDRESS]\naction = "hash"\n[keys]\nhash = {{ file = "{tmp_path / "k"}" }}\n')
    with pytest.raises(PolicyError):
        Redactor(policy, tagger=None)
    (tmp_path / "k").write_bytes(b"0123456789abcdef")
    one = Redactor(policy, tagger=None).redact("bob@example.org BOB@example.org")
    first, second = one.text.split()
    assert first == second
    assert first.startswith("<EMAIL_ADDRESS_")
    (tmp_path / "k").write_bytes(b"fedcba9876543210")
    assert Redactor(policy, tagger=None).redact("bob@example.org").text != first


SURROGATES = 'default = "keep"\n[entity.PERSON]\naction = "surrogate"\n[entity.CREDIT_CARD]\naction = "surrogate"\n[keys]\nsurrogate = { env = "TEST_SURROGATE_KEY" }'  # noqa: E501


def test_surrogates(monkeypatch: pytest.MonkeyPatch) -> None:
    from cloister.privacy.recognizers.validate import luhn

    monkeypatch.setenv("TEST_SURROGATE_KEY", "0123456789abcdef")
    text = "联系人:周晓岚,银行卡 4539 5787 6362 1486。联系人:周晓岚。"
    one = Redactor(Policy.parse(SURROGATES), tagger=None).redact(text)
    two = Redactor(Policy.parse(SURROGATES), tagger=None).redact(text)
    assert one.text == two.text
    assert "周晓岚" not in one.text
    assert one.spans[0].replacement == one.spans[2].replacement
    card = one.spans[1].replacement
    assert luhn(card)
    assert card.startswith("4000 00")
    assert one.restore(one.text) == text


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["联系人:周晓岚,", "4539578763621486 ", "Alex Abbott ", "钱安", "联系人:王芳。", "x ", "\n", "孙柏文"]
        ),
        max_size=25,
    ).map("".join)
)
def test_surrogates_restore_unmodified_text(text: str) -> None:
    policy = Policy.parse(SURROGATES.rsplit("[keys]", 1)[0])
    redaction = Redactor(policy, tagger=None).redact(text)
    assert redaction.restore(redaction.text) == text


def test_allow_and_deny() -> None:
    policy = Policy.parse(
        '[category]\ncontact = "replace"\n[allow]\nvalues = ["Support@example.org"]\npatterns = [".*@example\\\\.com"]\n'  # noqa: E501
        '[deny]\nPROJECT = ["Bluebird"]'
    )
    redaction = Redactor(policy, tagger=None).redact("support@example.org a@example.com b@example.net BLUEBIRD")
    assert redaction.text == "support@example.org a@example.com <EMAIL_ADDRESS_1> <PROJECT_1>"


def test_actions_by_language() -> None:
    policy = Policy.parse('[entity.EMAIL_ADDRESS]\naction = "replace"\n[entity.EMAIL_ADDRESS.zh]\naction = "drop"')
    redactor = Redactor(policy, tagger=None)
    assert redactor.redact("bob@example.org", "en").text == "<EMAIL_ADDRESS_1>"
    assert redactor.redact("bob@example.org", "zh").text == ""


@dataclass
class Tagged:
    start: int
    end: int
    label: str
    score: float


def test_tagger_spans_are_merged_and_mapped() -> None:
    def tagger(texts: list[str]) -> list[list[Tagged]]:
        return [[Tagged(t.index("Ana"), t.index("Ana") + 3, "PER", 0.9)] if "Ana" in t else [] for t in texts]

    redaction = Redactor("balanced", tagger=tagger).redact("I met Ana, 415-555-0132.")
    assert redaction.text == "I met <PERSON_1>, <PHONE_NUMBER_1>."


@pytest.mark.parametrize("mode", ["refuse", "mask"])
def test_failures_close(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(texts: list[str]) -> list[list[Tagged]]:
        raise RuntimeError(texts[0])

    policy = Policy.parse(f'on_failure = "{mode}"\n[category]\ncontact = "replace"')
    redactor = Redactor(policy, tagger=broken)
    if mode == "refuse":
        with pytest.raises(RedactionError) as caught:
            redactor.redact("canary-81 bob@example.org")
        assert "canary" not in str(caught.value)
        assert caught.value.__cause__ is None
    else:
        assert redactor.redact("canary-81 bob@example.org").text == "<REDACTION_FAILED>"
    assert redactor.failures == 1


@pytest.mark.parametrize("error", [ValueError("canary"), TimeoutError()])
def test_a_broken_recognizer_closes(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    from cloister.privacy import scan

    def broken(*_: object) -> None:
        raise error

    redactor = Redactor("identifiers", tagger=None)
    monkeypatch.setattr(scan, "_matches", broken)
    with pytest.raises(RedactionError) as caught:
        redactor.redact("bob@example.org")
    assert "canary" not in str(caught.value)
    assert redactor.failures == 1


def test_vaults_do_not_mix(balanced: Redactor) -> None:
    texts = [f"call 415-55{n // 10000}-{n % 10000:04d} or user{n}@example.org" for n in range(10_000)]
    with ThreadPoolExecutor(8) as pool:
        redactions = list(pool.map(balanced.redact, texts))
    template = "call <PHONE_NUMBER_1> or <EMAIL_ADDRESS_1>"
    assert [redaction.restore(template) for redaction in redactions] == texts


def test_errors_of_checks_close_and_stay_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    from cloister.privacy.recognizers import validate

    def broken(name: str) -> None:
        raise KeyError("canary-4539")

    monkeypatch.setattr(validate, "_stdnum", broken)
    redactor = Redactor("identifiers", tagger=None)
    with pytest.raises(RedactionError) as caught:
        redactor.redact("card 4539 5787 6362 1486")
    assert redactor.failures == 1
    assert "canary" not in "".join(traceback.format_exception(caught.value))


def test_a_search_that_takes_too_long_is_refused_and_counted() -> None:
    from cloister.privacy import scan

    class Over(scan.Deadline):
        def check(self) -> None:
            raise TimeoutError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "Deadline", Over)
        refusing = Redactor("identifiers", tagger=None)
        with pytest.raises(RedactionError) as caught:
            refusing.redact("card 4539 5787 6362 1486")
        assert caught.value.code == "redaction_timeout"
        masking = Redactor(Policy.parse('on_failure = "mask"\n[category]\nfinancial = "replace"'), tagger=None)
        assert masking.redact("card 4539 5787 6362 1486").text == "<REDACTION_FAILED>"
    assert (refusing.failures, masking.failures) == (1, 1)


def test_a_prefilter_that_breaks_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    redactor = Redactor(Policy.parse('on_failure = "mask"\n[category]\ncontact = "replace"'), tagger=None)

    class Broken:
        name = "broken"

        def fired(self, text: str) -> list[int]:
            raise OSError(text)

        any_fired = fired

    monkeypatch.setattr(redactor._detector.scanner, "prefilter", Broken())
    assert redactor.redact("bob@example.org").text == "<REDACTION_FAILED>"
    assert redactor.failures == 1


def test_what_reaches_out_of_a_failed_segment_stays_covered() -> None:
    """A value that begins where nothing could be searched is found by the next segment."""
    text = "So much for that, and more of it. " * 5 + "card 4539 5787 6362 1486 and more"
    bounds = "[stream]\nsegment = 190\nreach = 96"
    calls = 0

    def broken(texts: list[str]) -> list[list[Tagged]]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise RuntimeError
        return [[] for _ in texts]

    policy = Policy.parse(f'on_failure = "mask"\n[category]\nfinancial = "replace"\n{bounds}')
    stream = Redactor(policy, tagger=broken).stream()
    out = "".join(stream.feed(character) for character in text) + stream.close()
    assert out.startswith("<REDACTION_FAILED>")
    assert not any(digits in out for digits in ("4539", "5787", "6362", "1486"))


def test_deadlines_count_the_time_of_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    from cloister.privacy import scan

    clock = {"wall": 0.0, "thread": 0.0}
    times = SimpleNamespace(perf_counter=lambda: clock["wall"], thread_time=lambda: clock["thread"])
    monkeypatch.setattr(scan, "time", times)
    deadline = scan.Deadline(2.0)
    clock["wall"] = 100.0  # the machine was busy with something else
    deadline.check()
    clock.update(wall=200.0, thread=2.1)
    with pytest.raises(TimeoutError):
        deadline.check()


def test_foreign_patterns_are_stopped() -> None:
    slow = Recognizer(
        entity="SLOW", name="slow", category="other", pattern="(?:(?:a|aa)+)+[bc]", example="", before="", after="",
        loose=True, gates=("a",),
    )  # fmt: skip
    scanner = Scanner((slow,), RegexPrefilter)
    with pytest.raises(RedactionError) as caught:
        scanner.find("a" * 60 + "x", (0, 61), frozenset({"SLOW"}), "any", Limits(0.0, {}, 0.05))
    assert caught.value.code == "redaction_timeout"


def test_nothing_shows_the_text(balanced: Redactor, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    redaction = balanced.redact(TEXT)
    stream = balanced.stream()
    stream.feed(TEXT)
    shown = f"{redaction!r}{stream!r}{stream.vault!r}{balanced!r}{caplog.text}"
    for canary in ("415-555", "bob@", "4539"):
        assert canary not in shown


def test_wrong_arguments(balanced: Redactor) -> None:
    with pytest.raises(InvalidInput):
        balanced.redact(b"bytes")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput):
        balanced.redact("x", "fr")


def test_json(balanced: Redactor) -> None:
    document = {
        "user": "bob@example.org",
        "messages": [{"content": "call 415-555-0132", "n": 1}, {"content": ["a@b.org"]}],
    }
    out, done = redact_json(balanced, document, ["$.messages[*].content"])
    assert out == {
        "user": "bob@example.org",
        "messages": [{"content": "call <PHONE_NUMBER_1>", "n": 1}, {"content": ["<EMAIL_ADDRESS_1>"]}],
    }
    assert len(done) == 2
    everywhere, _ = redact_json(balanced, document, ["$..user", "$['messages'][0]"])
    assert everywhere["user"] == "<EMAIL_ADDRESS_1>"
    json.dumps(everywhere)
    with pytest.raises(InvalidInput):
        redact_json(balanced, document, ["messages"])


def test_import_is_light() -> None:
    code = "import sys, cloister.privacy; print([m for m in ('hyperscan', 'regex', 'phonenumbers', 'numpy', 'stdnum') if m in sys.modules])"  # noqa: E501
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


@pytest.mark.parametrize("value", ["MyBJ!AqhrBF44", "myDog2024!", "Yours4ever#", "Example99xQ"])
def test_a_password_that_begins_like_a_placeholder_is_found(value: str) -> None:
    redactor = Redactor("strict", tagger=None)
    assert value not in redactor.redact(f"密码：{value}").text
    assert value not in redactor.redact(f"password: {value}").text


@pytest.mark.parametrize("value", ["my-password", "your_secret", "yourpassword", "example.token"])
def test_a_placeholder_for_a_password_stays(value: str) -> None:
    assert value in Redactor("strict", tagger=None).redact(f"password: {value}").text
