"""sentence-transformers in fp32, as `encode` runs it."""

from pathlib import Path
from typing import Any

from .batches import Texts


class Sentence(Texts):
    def prepare(self, model: Path, work: Path, threads: int) -> None:
        import torch
        from sentence_transformers import SentenceTransformer

        torch.set_num_threads(threads)
        self.model = SentenceTransformer(str(model), device="cpu")
        self.encode = lambda texts: self.model.encode(texts, show_progress_bar=False, normalize_embeddings=True)


def make(**options: Any) -> Sentence:
    return Sentence(**options)
