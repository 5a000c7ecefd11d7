"""The commands as a user types them: output, exit codes, one line `error:` and one line `hint:`."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest


def cloister(*arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "cloister.cli", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        check=False,
    )


def test_a_model_folder_becomes_answers(tmp_path: Path, make_model: Callable[..., Path]) -> None:
    out = tmp_path / "bundle"
    texts = tmp_path / "texts.jsonl"
    texts.write_text("\n".join(json.dumps({"text": f"a calibration text, number {i}"}) for i in range(30)))
    source = make_model("distilbert", "text-classification", labels=["NEGATIVE", "POSITIVE"])
    said = tmp_path / "provenance.json"
    said.write_text(json.dumps({"data": "made up", "seed": "7"}))
    done = cloister("export", source, out, "--calibration", texts, "--provenance", said, "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    report = json.loads(done.stdout)
    assert report["path"] == "packed"
    assert report["quantized_nodes"] == 8
    assert set(report) >= {
        "bundle", "task", "path", "precision", "size_bytes", "quantized_nodes", "float_nodes", "parity", "accuracy",
        "digest", "seconds",
    }  # fmt: skip
    shown = json.loads(cloister("inspect", out, "--json").stdout)
    assert shown["digest"] == report["digest"]
    assert shown["source"]["calibration"] == "user"
    assert shown["source"]["provenance"] == {"data": "made up", "seed": "7"}
    assert b"made up" in cloister("inspect", out).stdout
    assert b"POSITIVE" in cloister("inspect", out).stdout
    assert json.loads(cloister("check", out, "--json").stdout)["holds"] is True
    answers = cloister("predict", out, "good", "bad").stdout.decode().splitlines()
    assert [json.loads(a)["label"] in ("NEGATIVE", "POSITIVE") for a in answers] == [True, True]
    assert cloister("export", source, out).stderr.startswith(b"error: the output folder exists already\nhint: ")


LINES = [
    (b'{"id": 1, "text": "fine"}', None),
    (b'{"id": "two", "text": "a", "text_pair": "b"}', None),
    (b"not json", "invalid_input"),
    (b"\xff\xfe", "invalid_input"),
    (b"[1]", "invalid_input"),
    (b'{"id": 6}', "invalid_input"),
    (b'{"id": 7, "text": 5}', "invalid_input"),
    (b'{"id": 8, "text": "\\ud800"}', "invalid_input"),
    (b'{"id": 9, "text": "x", "more": 1}', "invalid_input"),
    (b'{"id": 10, "text": "' + b"word " * 200 + b'"}', "input_too_long"),
    (b"[" * 100_000, "invalid_input"),
    (b'{"id": 12, "text": ""}', None),
]


def test_bad_lines_are_answered_in_their_place(make_bundle: Callable[..., Path]) -> None:
    bundle = make_bundle("bert", "text-classification")
    done = cloister("predict", bundle, stdin=b"\n".join(line for line, _ in LINES) + b"\n\n")
    assert done.returncode == 1
    results = [json.loads(line) for line in done.stdout.decode().splitlines()]
    assert [r["error"]["code"] if "error" in r else None for r in results] == [code for _, code in LINES]
    assert [r.get("id") for r in results] == [1, "two", None, None, None, 6, 7, 8, 9, 10, None, 12]
    good = cloister("predict", bundle, "--truncate", stdin=LINES[9][0])
    assert good.returncode == 0
    assert json.loads(good.stdout)["truncated"] is True


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["predict", "/no/such/bundle", "x"], 1),
        (["inspect", "/"], 1),
        (["check", "/no/such/bundle"], 1),
        (["export", "/no/such/model", "never-written"], 1),
        (["export"], 2),
        (["export", "a", "b", "--precision", "int3"], 2),
        (["no-such-command"], 2),
    ],
)
def test_failures_say_what_and_what_to_do(arguments: list[str], code: int) -> None:
    done = cloister(*arguments)
    assert done.returncode == code
    assert done.stdout == b""
    assert b"Traceback" not in done.stderr
    if code == 1:
        first, second = done.stderr.decode().splitlines()
        assert first.startswith("error: ")
        assert second.startswith("hint: ")


@pytest.mark.parametrize("command", ["export", "inspect", "check", "predict"])
def test_help_has_an_example(command: str) -> None:
    assert f"cloister {command}" in cloister(command, "--help").stdout.decode()


@pytest.mark.parametrize("content", [b"[]", b'{"seed": 7}', b"{", b"\xff"])
def test_bad_provenance_writes_nothing(tmp_path: Path, make_model: Callable[..., Path], content: bytes) -> None:
    (tmp_path / "p.json").write_bytes(content)
    source = make_model("bert", "text-classification")
    done = cloister("export", source, tmp_path / "out", "--provenance", tmp_path / "p.json")
    assert done.returncode == 1
    assert done.stderr.startswith(b"error: p.json is not a JSON object of texts\nhint: ")
    missing = cloister("export", source, tmp_path / "out", "--provenance", tmp_path / "q.json")
    assert missing.stderr.startswith(b"error: cannot read q.json")
    assert not (tmp_path / "out").exists()


def test_a_bad_calibration_file_is_named(tmp_path: Path, make_model: Callable[..., Path]) -> None:
    for name, content in (("a.jsonl", b'{"txt": 1}'), ("b.csv", b"x,y\n1,2"), ("c.txt", b"\xff"), ("d.txt", b"  \n")):
        (tmp_path / name).write_bytes(content)
        done = cloister(
            "export", make_model("bert", "text-classification"), tmp_path / "out", "--calibration", tmp_path / name
        )
        assert done.returncode == 1
        assert name in done.stderr.decode()
        assert not (tmp_path / "out").exists()
