"""A peer without a model, for the lab's own tests: its vectors count letters."""

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Counting:
    modes = ("default", "sorted")
    split = True

    def __init__(self, sign: int = 1, fails: str = "") -> None:
        self.sign, self.fails = sign, fails

    def prepare(self, model: Path, work: Path, threads: int) -> None:
        print("libraries print")
        if self.fails == "prepare":
            raise OSError("cannot prepare")
        if self.fails == "hang":
            signal.pause()
        if self.fails == "exit":
            os._exit(3)

    def texts(self, texts: list[str]) -> None:
        self._texts = texts

    def run(self, mode: str) -> NDArray[np.float32]:
        if self.fails == "run":
            raise OSError("cannot run")
        return self.whole(mode)

    def whole(self, mode: str) -> NDArray[np.float32]:
        if self.fails == "kill" and self._texts != ["how long does a parcel take to arrive"]:
            os.kill(os.getpid(), signal.SIGKILL)
        rows = np.array([[1 + text.count(letter) for letter in "aeiou"] for text in self._texts], np.float32)
        return np.asarray(self.sign * rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def make(**options: Any) -> Counting:
    return Counting(**options)
