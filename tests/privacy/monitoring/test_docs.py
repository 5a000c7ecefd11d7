"""The guide on monitoring: its example, its policy, its table of kinds, and the policy's checks."""

import contextlib
import io
import os
import re
import subprocess
import sys
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest

from cloister.privacy import Policy, PolicyError
from cloister.privacy.monitoring import KINDS, Thresholds
from cloister.privacy.monitoring.thresholds import BOUNDS

GUIDE = (Path(__file__).resolve().parents[3] / "docs" / "monitoring.md").read_text("utf-8")


def test_the_example_prints_what_the_guide_says() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    (said,) = re.findall(r"^prints `(.*?)`", GUIDE, re.MULTILINE)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(code, {})  # noqa: S102 - our own documentation
    assert out.getvalue().strip() == said


def test_the_command_runs_as_written() -> None:
    (command,) = re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout == 'alert_webhook = "https://alerts.example.org/hook"\n'


def test_the_policy_shows_every_default() -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)
    found = Policy.parse(text).monitor
    assert {**asdict(found), "off": frozenset()} == asdict(Thresholds())
    assert found.off == {"lengths"}
    assert all(re.search(rf"^{f.name} = ", text, re.MULTILINE) for f in fields(Thresholds))
    assert set(BOUNDS) == {f.name for f in fields(Thresholds)} - {"off"}


def test_every_kind_and_threshold_is_explained() -> None:
    table = GUIDE[GUIDE.index("| kind |") :]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(KINDS)
    for name in BOUNDS:
        assert f"`{name}`" in GUIDE, name


def test_thresholds_are_part_of_the_digest() -> None:
    plain, other = Policy.parse(""), Policy.parse("[monitor]\nburst = 7")
    assert other.monitor.burst == 7
    assert plain.digest != other.digest
    assert Policy.load("identifiers").monitor == Thresholds()
    assert Policy.parse('[monitor]\noff = ["all"]').monitor.off == set(KINDS)


@pytest.mark.parametrize(
    "line",
    [
        "unknown = 1", "burst = 0", "burst = 1.5", "burst = true", 'burst = "9"', "rate = -1", "rate = nan",
        "rate = inf", "psi = 0", "window = 10", "calibration = 1", 'off = "all"', 'off = ["nothing"]', "off = [1]",
        "margin = 2", "duplicate_limit = 0",
    ],
)  # fmt: skip
def test_wrong_thresholds_are_refused_with_a_hint(line: str) -> None:
    with pytest.raises(PolicyError) as caught:
        Policy.parse(f"[monitor]\n{line}")
    assert caught.value.hint
    with pytest.raises(PolicyError):
        Policy.parse("monitor = 1")


@pytest.mark.parametrize("name", BOUNDS)
def test_bounds_are_themselves_allowed(name: str) -> None:
    whole = isinstance(getattr(Thresholds(), name), int)
    for bound in BOUNDS[name]:
        value: Any = int(bound) if whole else float(bound)
        assert getattr(Policy.parse(f"[monitor]\n{name} = {value!r}").monitor, name) == value
