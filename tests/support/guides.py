"""Running the blocks of a guide as a reader would."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(r"```(sh|sh fails|python)\n(.*?)```\n", re.DOTALL)


def blocks(guide: str) -> list[tuple[str, str]]:
    """Kind and code of every block of a guide that is meant to be run: `sh`, `sh fails` and `python`."""
    return _BLOCK.findall((ROOT / "docs" / guide).read_text("utf-8"))


def run(kind: str, code: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one block in a folder, with this environment's commands first in the path."""
    command = [sys.executable, "-c", code] if kind == "python" else ["bash", "-euc", code]
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        [*command, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
