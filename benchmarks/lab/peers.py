"""Who is measured: name, environment, adapter and its options."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Peer:
    """One side of the comparison. `environment` is a folder of `.lab`, or `.venv` for the project's own."""

    name: str
    environment: str
    adapter: str
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def python(self) -> Path:
        """The interpreter of its environment."""
        home = ROOT / ".venv" if self.environment == ".venv" else ROOT / ".lab" / self.environment
        return home / "bin" / "python"


OURS = "Cloister int8"
REFERENCE = "PyTorch eager fp32"

MINILM = (
    Peer(OURS, ".venv", "own"),
    Peer("Cloister fp32", ".venv", "own", {"precision": "fp32"}),
    Peer(REFERENCE, "torch", "pytorch"),
    Peer("PyTorch eager bf16", "torch", "pytorch", {"precision": "bf16"}),
    Peer("torch.compile fp32", "torch", "pytorch", {"compiled": True}),
    Peer("sentence-transformers fp32", "torch", "sentence"),
    Peer("ONNX Runtime fp32", "torch", "onnx_plain"),
    Peer("ONNX Runtime QInt8", "torch", "onnx_plain", {"int8": True}),
    Peer("optimum-onnx fp32", "optimum", "optimum_onnx"),
    Peer("optimum-onnx int8 (AVX512-VNNI)", "optimum", "optimum_onnx", {"int8": True}),
    Peer("ONNX Runtime int8, fused (optimum O2)", "optimum", "optimum_onnx", {"int8": True, "fused": True}),
    Peer("OpenVINO fp32", "torch", "vino"),
    Peer("OpenVINO bf16", "torch", "vino", {"precision": "bf16"}),
    Peer("OpenVINO int8 (NNCF)", "torch", "vino", {"precision": "int8"}),
    Peer("CTranslate2 int8", "torch", "ct2"),
    Peer("fastembed fp32", "optimum", "quick"),
    Peer("infinity fp32 (library)", "infinity", "infinity"),
    Peer("infinity fp32 (HTTP)", "infinity", "http", {"server": "infinity"}),
    Peer("Cloister int8 (HTTP)", ".venv", "http", {"server": "cloister"}),
)

_LARGE_LEAVES_OUT = ("torch.compile fp32", "sentence-transformers fp32", "ONNX Runtime fp32", "fastembed fp32")
"""For XLM-R's shape, each of whose float copies takes more than a gigabyte: those whose like is there already."""


def of_model(name: str) -> tuple[Peer, ...]:
    """The peers of a model: all for MiniLM; no infinity and no servers for other shapes; the tagger alone."""
    if name == "tagger":
        return (Peer(OURS, ".venv", "tagging"),)
    if name == "minilm":
        return MINILM
    found = [p for p in MINILM if p.environment != "infinity" and p.adapter != "http"]
    return tuple(p for p in found if name != "xlmr-base" or p.name not in _LARGE_LEAVES_OUT)


NOT_RUN = {
    "text-embeddings-inference": "is not in the package index",
    "infinity's optimum engine": "wants an ONNX file in the model's folder; its default, the torch engine, is measured",
}
"""Peers that the lab does not run, with the reason."""

TAGGER_ALONE = "the tagger ships as int8 alone: its float weights, which a peer would need, are made by `make tagger`"
