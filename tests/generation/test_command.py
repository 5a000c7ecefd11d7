"""`cloister generate` and `predict --labels` as a user types them: a terminal, batches, a policy, a chat template."""

import io
import json
import os
import pty
import re
import select
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cloister import CloisterError, InvalidInput
from cloister.cli import app
from cloister.runtime import GenerationOptions, Message, load
from cloister.runtime.generate import GeneratorEngine

PHONE = "415-555-0132"
command: Any = sys.modules["cloister.cli.generate"]  # the package has the function under this name


class Terminal:
    """A process on a pseudo-terminal that echoes nothing."""

    def __init__(self, *arguments: str | Path) -> None:
        self._ours, theirs = pty.openpty()
        settings = termios.tcgetattr(theirs)
        settings[1] &= ~termios.ONLCR
        settings[3] &= ~termios.ECHO
        termios.tcsetattr(theirs, termios.TCSANOW, settings)
        command = [sys.executable, "-m", "cloister.cli", *map(str, arguments)]
        self.process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)

    def until(self, end: bytes) -> str:
        """What comes up to `end`, which is left out."""
        found = b""
        while not found.endswith(end):
            assert select.select([self._ours], [], [], 60)[0], found
            found += os.read(self._ours, 1)
        return found[: -len(end)].decode()

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def close(self) -> int:
        self.type("\x04")
        code = self.process.wait(60)
        os.close(self._ours)
        return code


@pytest.fixture(scope="module")
def engine(writer: Path) -> Iterator[GeneratorEngine]:
    found = load(writer)
    assert isinstance(found, GeneratorEngine)
    yield found
    found.close()


def test_a_chat_on_a_terminal(writer: Path, engine: GeneratorEngine) -> None:
    options = GenerationOptions(max_tokens=8)
    terminal = Terminal("generate", writer, "--max-tokens", "8")
    terminal.until(b"> ")
    terminal.type("Hello\n")
    first = engine.generate([Message("user", "Hello")], options).text()
    assert terminal.until(b"\n> ") == first
    terminal.type("\n")  # nothing said, nothing asked
    assert terminal.until(b"> ") == ""
    terminal.type(f"{'word ' * 200}\n")  # over the context: said, and the chat goes on
    assert re.fullmatch(r"error: the prompt has \d+ tokens.*\nhint: .*", terminal.until(b"\n> "))
    terminal.type("And now?\n")
    talk = [Message("user", "Hello"), Message("assistant", first), Message("user", "And now?")]
    assert terminal.until(b"\n> ") == engine.generate(talk, options).text()
    assert terminal.close() == 0


class Engine:
    """Writes what a script says; keeps what it was asked."""

    def __init__(self, *answers: Callable[[Any], Iterator[str]]) -> None:
        self.answers = list(answers)
        self.asked: list[Any] = []
        self.closed = 0

    def generate(self, prompt: Any, options: GenerationOptions) -> Any:
        self.asked.append(prompt if isinstance(prompt, str) else [m.content for m in prompt])
        engine, pieces = self, self.answers.pop(0)(prompt)

        class Generation:
            summary = type("Summary", (), {"finish_reason": "stop", "prompt_tokens": 1, "completion_tokens": 2})

            def __iter__(self) -> Iterator[str]:
                return pieces

            def __enter__(self) -> Any:
                return self

            def __exit__(self, *_: object) -> None:
                engine.closed += 1

        return Generation()


def interrupted(prompt: Any) -> Iterator[str]:
    yield "once"
    raise KeyboardInterrupt


def back(prompt: Any) -> Iterator[str]:
    """The last message, three characters at a time."""
    text = prompt if isinstance(prompt, str) else prompt[-1].content
    return (text[i : i + 3] for i in range(0, len(text), 3))


def test_an_interrupt_ends_the_answer_and_not_the_chat(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = Engine(interrupted, back)
    monkeypatch.setattr(sys, "stdin", io.StringIO("one\ntwo\n"))
    command._chat(engine, GenerationOptions(), None)
    assert engine.asked == [["one"], ["two"]]
    assert engine.closed == 2
    assert capsys.readouterr().out == "once\ntwo\n"


@pytest.mark.parametrize("chat", [False, True])
def test_with_a_policy_the_model_sees_placeholders(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], chat: bool
) -> None:
    engine = Engine(back, back)
    redactor = command._redactor("identifiers")
    if chat:
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"Call {PHONE}\nAgain {PHONE}\n"))
        command._chat(engine, GenerationOptions(), redactor)
        assert capsys.readouterr().out == f"Call {PHONE}\nAgain {PHONE}\n"
        assert len(engine.asked[-1]) == 3
    else:
        assert (
            command._print(command._Answer(engine, f"Call {PHONE}", GenerationOptions(), redactor)) == f"Call {PHONE}"
        )
    assert engine.asked
    assert "555" not in json.dumps(engine.asked)


def test_what_the_model_makes_up_is_masked_under_a_policy() -> None:
    engine = Engine(lambda prompt: iter(["Call ", "212-", "555-", "0199", " or ", prompt]))
    answer = command._Answer(engine, PHONE, GenerationOptions(), command._redactor("identifiers"))
    assert "".join(answer) == f"Call <PHONE_NUMBER> or {PHONE}"


def invoke(*arguments: str | Path, stdin: str = "") -> Any:
    return CliRunner().invoke(app, list(map(str, arguments)), input=stdin, catch_exceptions=False)


def test_a_policy_on_a_real_bundle(writer: Path, engine: GeneratorEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which by a choice of texts writes the prompt's own value back."""
    seen: list[list[int]] = []
    plain = GeneratorEngine.generate

    def generate(self: Any, prompt: Any, options: Any) -> Any:
        seen.append(self._chat.tokens(prompt))
        return plain(self, prompt, options)

    monkeypatch.setattr(GeneratorEngine, "generate", generate)
    done = invoke("generate", writer, f"Call {PHONE}", "--policy", "identifiers", "--max-tokens", "4")
    assert done.exit_code == 0
    assert "PHONE_NUMBER" in engine.tokenizer.text(seen[0])
    assert "555" not in engine.tokenizer.text(seen[0])


def test_json_lines_with_a_bad_one(writer: Path, engine: GeneratorEngine) -> None:
    lines = [
        '{"id": 1, "prompt": "Hello"}',
        "not json",
        '{"id": 3, "messages": [{"role": "user", "content": "Hello"}]}',
        '{"id": 4, "messages": [{"role": "wizard", "content": "Hello"}]}',
        '{"id": 5, "prompt": 7}',
        f'{{"id": 6, "prompt": "{"word " * 200}"}}',
        '{"id": "seven", "prompt": "Bye"}',
    ]
    done = invoke("generate", writer, "--max-tokens", "4", stdin="\n".join(lines) + "\n")
    assert done.exit_code == 1
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one.get("id") for one in found] == [1, None, 3, 4, 5, 6, "seven"]
    codes = [one.get("error", {}).get("code") for one in found]
    assert codes == [None, "invalid_input", None, "invalid_input", "invalid_input", "input_too_long", None]
    assert found[0]["text"] == engine.generate("Hello", GenerationOptions(max_tokens=4)).text()
    assert found[2]["completion_tokens"] <= 4
    good = invoke("generate", writer, "--max-tokens", "4", stdin=lines[0])
    assert (good.exit_code, json.loads(good.stdout)["id"]) == (0, 1)


def test_a_schema_that_is_none_is_said_before_anything_is_read(writer: Path, tmp_path: Path) -> None:
    (tmp_path / "schema.json").write_text("[1]")
    with pytest.raises(CloisterError) as raised:
        invoke("generate", writer, "Hello", "--schema", tmp_path / "schema.json")
    assert raised.value.code == "constraint_invalid"


def test_labels_are_asked_for_in_the_chat_template(
    writer: Path, engine: GeneratorEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the bundle has one, unless it is switched off; examples are turns that went before."""
    prompts: list[Any] = []
    tokens = type(engine._chat).tokens

    def seen(self: Any, prompt: Any) -> list[int]:
        prompts.append(prompt)
        return tokens(self, prompt)

    monkeypatch.setattr(type(engine._chat), "tokens", seen)
    labels, examples = ["refund", "delivery"], [("Where is it?", "delivery")]
    (by_chat,) = engine.predict(["I was charged twice"], labels=labels, examples=examples)
    (by_text,) = engine.predict(["I was charged twice"], labels=labels, examples=examples, chat=False)
    assert [m.role for m in prompts[0]] == ["user", "assistant", "user"]
    assert prompts[0][1].content == "delivery"
    assert prompts[0][2].content == "Text: I was charged twice"
    assert prompts[1].endswith("Text: I was charged twice\nLabel:")
    for found in (by_chat, by_text):
        assert sum(found.scores.values()) == pytest.approx(1)  # type: ignore[union-attr]
    assert by_chat.scores != by_text.scores  # type: ignore[union-attr]
    done = invoke("predict", writer, "I was charged twice", "--labels", "refund,delivery", "--no-chat")
    other = invoke("predict", writer, "I was charged twice", "--labels", "refund,delivery")
    assert json.loads(done.stdout)["scores"] != json.loads(other.stdout)["scores"]


def test_the_score_of_a_label_is_the_probability_that_it_is_the_answer(engine: GeneratorEngine) -> None:
    """Against logits of the whole answer, computed token by token."""
    from cloister.runtime.choice import as_chat
    from cloister.runtime.sampling import log_softmax

    labels = ["refund", "a late delivery"]
    start = engine._chat.tokens(as_chat("Hello", labels))
    logs = []
    for label in labels:
        sequence = engine._decoder.sequence(len(start) + 40)
        total, logits = 0.0, sequence.append(start)
        for token in engine.tokenizer.plain(label):
            total += log_softmax(logits)[token]
            logits = sequence.append([token])
        (end,) = engine.settings.end_ids
        logs.append(total + log_softmax(logits)[end])
    odds = logs[0] - logs[1]
    (found,) = engine.predict(["Hello"], labels=labels)
    assert found.scores["refund"] == pytest.approx(1 / (1 + 2.718281828459045**-odds), rel=1e-4)  # type: ignore[union-attr]


def test_a_chat_is_refused_where_there_is_no_template(engine: GeneratorEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine._chat, "_template", None)
    (found,) = engine.predict(["good"], labels=["a", "b"])  # asked as a text of itself
    assert sum(found.scores.values()) == pytest.approx(1)  # type: ignore[union-attr]
    with pytest.raises(InvalidInput) as raised:
        engine.predict(["good"], labels=["a", "b"], chat=True)
    assert raised.value.code == "chat_template_missing"
