from __future__ import annotations

import doctest
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cloister.privacy import Policy

DOCS = Path(__file__).resolve().parents[2] / "docs"
GUIDE = (DOCS / "redaction.md").read_text(encoding="utf-8")


def test_python_examples() -> None:
    result = doctest.testfile(str(DOCS / "redaction.md"), module_relative=False, encoding="utf-8")
    assert result.attempted > 10
    assert result.failed == 0


@pytest.mark.parametrize("example", re.findall(r"```sh\n\$ (echo .*)\n(.*)\n```", GUIDE))
def test_shell_examples(example: tuple[str, str]) -> None:
    command, expected = example
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["sh", "-c", command], capture_output=True, env=environment, check=True)
    assert done.stdout.decode() == expected + "\n"


def test_the_policy_in_the_guide_is_valid() -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)
    policy = Policy.parse(text)
    assert policy.rule("CREDIT_CARD", "en").action == "mask"
    assert policy.rule("PERSON", "zh").threshold == 0.7


def test_the_recognizer_table_is_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("recognizers_table", DOCS / "recognizers_table.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (DOCS / "recognizers.md").read_text(encoding="utf-8") == module.table()
