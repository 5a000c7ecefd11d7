"""A service in a process of its own, and texts for it."""

import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks import workbench as wb
from cloister.runtime import Engine


class Running:
    """A service that runs: its port, and what its process holds."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.port = port
        self._process = psutil.Process(process.pid)

    def resident(self) -> int:
        """Bytes in memory."""
        return int(self._process.memory_info().rss)

    def alive(self) -> bool:
        """Whether the process still is."""
        return bool(self._process.is_running() and self._process.status() != psutil.STATUS_ZOMBIE)


@contextmanager
def serving(bundle: Path, *arguments: str) -> Iterator[Running]:
    """`cloister serve` on a free port, stopped at the end."""
    command = [sys.executable, "-m", "cloister.cli", "serve", f"minilm={bundle}", "--port", "0", *arguments]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        line = next(line for line in process.stderr if line.startswith("cloister: "))
        threading.Thread(target=process.stderr.read, daemon=True).start()
        yield Running(process, int(line.split()[1].rsplit(":", 1)[1]))
    finally:
        process.terminate()
        process.wait(60)


class Texts:
    """Real texts put together to a length in tokens.

    Args:
        engine: its tokenizer counts.
    """

    def __init__(self, engine: Engine) -> None:
        tokens = engine.tokenizer.raw
        self._pool = [(text, len(tokens.encode(text, add_special_tokens=False))) for text in wb.texts()]
        self._pool = [(text, n) for text, n in self._pool if n > 0]
        self._shortest = min(n for _, n in self._pool)

    def of(self, tokens: int, seed: int) -> str:
        """A text of about `tokens` tokens, special ones included, and never more."""
        chosen, parts, room = random.Random(seed), [], tokens - 2
        while room >= self._shortest:
            fitting = [(text, n) for text, n in self._pool if n <= room]
            text, n = chosen.choice(fitting if room < 60 else [f for f in fitting if f[1] > room / 8] or fitting)
            parts.append(text)
            room -= n
        return " ".join(parts) or self._pool[0][0]
