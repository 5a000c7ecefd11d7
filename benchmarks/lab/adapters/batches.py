"""What every adapter of a vector model shares: the tokenizer file, padded batches in two orders, mean pooling."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MODES = ("default", "sorted")
SIZE = 32
WINDOW = 512


def made(folder: Path, make: Callable[[Path], object]) -> Path:
    """The folder, made where it is missing: under another name first, so that a run that was cut short leaves none."""
    if not folder.exists():
        unfinished = folder.with_name(f"{folder.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        make(unfinished)
        unfinished.rename(folder)
    return folder


class Padded:
    """A peer that reads padded batches: one batch in the order given (`default`), or sorted by length in batches of 32.

    `split` says that tokenization can be left out of a time: then `run` gets batches that were padded beforehand.
    `one_batch` says that its own way pads all texts of a call to the longest.
    """

    modes: tuple[str, ...] = MODES
    split = True
    one_batch = True

    def prepare(self, model: Path, work: Path, threads: int) -> None:
        from tokenizers import Tokenizer

        self.tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(WINDOW)
        self.padding = self.tokenizer.token_to_id("[PAD]")
        if self.padding is None:
            self.padding = self.tokenizer.token_to_id("<pad>") or 0
        self.load(model, work, threads)

    def load(self, model: Path, work: Path, threads: int) -> None:
        raise NotImplementedError

    def forward(self, batch: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Hidden states `[B, S, D]`."""
        raise NotImplementedError

    def texts(self, texts: list[str]) -> None:
        self._texts = texts
        self._ready = {mode: self._batches(mode) for mode in self.modes}

    def run(self, mode: str) -> NDArray[np.float32]:
        return self._vectors(self._ready[mode])

    def whole(self, mode: str) -> NDArray[np.float32]:
        return self._vectors(self._batches(mode))

    def _batches(self, mode: str) -> list[tuple[NDArray[np.intp], dict[str, NDArray[Any]]]]:
        encodings = self.tokenizer.encode_batch_fast(self._texts)
        ids = [e.ids for e in encodings]
        order = np.arange(len(ids))
        size = max(1, len(ids))
        if mode == "sorted":
            order, size = np.argsort([len(i) for i in ids], kind="stable"), SIZE
        return [
            (order[s : s + size], self._padded([ids[i] for i in order[s : s + size]])) for s in range(0, len(ids), size)
        ]

    def _padded(self, ids: list[list[int]]) -> dict[str, NDArray[Any]]:
        shape = len(ids), max(map(len, ids))
        padded, mask = np.full(shape, self.padding, np.int64), np.zeros(shape, np.int64)
        for row, one in enumerate(ids):
            padded[row, : len(one)], mask[row, : len(one)] = one, 1
        return {"input_ids": padded, "attention_mask": mask, "token_type_ids": np.zeros(shape, np.int64)}

    def _vectors(self, batches: list[tuple[NDArray[np.intp], dict[str, NDArray[Any]]]]) -> NDArray[np.float32]:
        parts = [(places, mean(self.forward(batch), batch["attention_mask"])) for places, batch in batches]
        out = np.empty((sum(len(p) for p, _ in parts), parts[0][1].shape[1]), np.float32)
        for places, rows in parts:
            out[places] = rows
        return out


class Texts:
    """A peer whose interface takes texts and gives vectors; tokenization is always in its time."""

    modes: tuple[str, ...] = MODES
    split = False
    encode: Callable[[list[str]], NDArray[np.float32]]

    def texts(self, texts: list[str]) -> None:
        self._texts = texts
        self._order = np.argsort([len(t) for t in texts], kind="stable")

    def run(self, mode: str) -> NDArray[np.float32]:
        raise NotImplementedError("tokenization cannot be left out")

    def whole(self, mode: str) -> NDArray[np.float32]:
        if mode == "default":
            return np.asarray(self.encode(self._texts), np.float32)
        out: NDArray[np.float32] | None = None
        for start in range(0, len(self._texts), SIZE):
            places = self._order[start : start + SIZE]
            rows = np.asarray(self.encode([self._texts[i] for i in places]), np.float32)
            out = np.empty((len(self._texts), rows.shape[1]), np.float32) if out is None else out
            out[places] = rows
        assert out is not None
        return out


def mean(hidden: NDArray[Any], mask: NDArray[Any]) -> NDArray[np.float32]:
    """Mean of the real tokens' rows, normalized. Shape: `[B, S, D]`, `[B, S]` -> `[B, D]`."""
    pooled = (hidden * mask[..., None]).sum(1) / mask.sum(1)[:, None]
    return np.asarray(pooled / np.linalg.norm(pooled, axis=1, keepdims=True), np.float32)
