"""The one file that imports onnxruntime-genai: a graph in memory becomes sequences that keep keys and values."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import BundleError, MissingExtra
from .manifest import GeneratorSettings
from .session import onnxruntime

Floats = NDArray[np.float32]

_GRAPH = "model.onnx"
# The least that the library accepts; everything real comes from the verified manifest, over it.
_SKELETON = {
    "model": {"type": "llama", "context_length": 1, "vocab_size": 1, "decoder": {"filename": _GRAPH}},
    "search": {},
}


def genai() -> ModuleType:
    """Import onnxruntime-genai with its telemetry, and that of the onnxruntime under it, switched off.

    Raises:
        MissingExtra: it is not installed.
    """
    onnxruntime()  # sets ORT_DISABLE_TELEMETRY, which both libraries read when they are loaded
    try:
        import onnxruntime_genai as module
    except ImportError as error:
        raise MissingExtra(
            "onnxruntime-genai is not installed",
            hint="pip install 'cloister[generate]' (or 'cloister[generate-gpu]' on a machine with CUDA)",
        ) from error
    module.disable_telemetry_events()
    return module  # type: ignore[no-any-return]


class Decoder:
    """A decoder, ready for many sequences.

    Args:
        graph: a serialized ONNX model with its weights inside.
        settings: what the library has to know of the graph.
        context: most tokens of a sequence.
        provider: `cpu` or `cuda`.
        threads: threads for one run.

    Raises:
        BundleError: the library does not accept the graph.
        MissingExtra: the library is not installed.
    """

    shares = False

    def __init__(
        self, graph: bytes | Path, settings: GeneratorSettings, context: int, *, provider: str, threads: int
    ) -> None:
        module = genai()
        self._module = module
        self.context = context
        self.vocabulary = settings.vocabulary
        config = _config(module, graph, _overlay(settings, context, threads))
        if provider != "cpu":
            config.clear_providers()
            config.append_provider(provider)
        try:
            self._model = module.Model(config)
        except Exception as error:
            raise BundleError(
                "onnxruntime-genai does not accept the bundle's graph",
                hint="the bundle may need a newer onnxruntime-genai: pip install --upgrade onnxruntime-genai",
                code="graph_rejected",
            ) from error

    def batch(self) -> "Turns":
        """See `decoding.Decoder`."""
        return Turns()

    def working_bytes(self, longest: int, rows: int) -> int:
        """See `decoding.Decoder`: on the device, where the library sees to it."""
        return 0

    def sequence(self, most: int) -> "Cached":
        """A new sequence of at most `most` tokens, whose keys and values are allocated at once."""
        params = self._module.GeneratorParams(self._model)
        params.set_search_options(max_length=most, batch_size=1, do_sample=False)
        return Cached(self._module.Generator(self._model, params))


class Cached:
    """Tokens that were read, with their keys and values. Used by one thread at a time."""

    def __init__(self, generator: Any) -> None:
        self._generator = generator

    def __len__(self) -> int:
        return int(self._generator.token_count())

    def append(self, tokens: Sequence[int] | NDArray[np.int64]) -> Floats:
        """Read tokens; the logits of what may follow. Shape: `[n]` -> `[vocabulary]`."""
        self._generator.append_tokens(np.asarray(tokens, np.int32))
        return np.array(self._generator.get_logits(), np.float32).reshape(-1)

    def rewind(self, length: int) -> None:
        """Forget all tokens after the first `length`."""
        self._generator.rewind_to(length)

    def block(self, start: int) -> Floats:
        """Not here: see `Decoder.shares`."""
        raise NotImplementedError

    def restore(self, block: Floats) -> None:
        """Not here: see `Decoder.shares`."""
        raise NotImplementedError


class Turns:
    """Sequences that get a token each, one after the other; see `decoding.Rows`."""

    def __init__(self) -> None:
        self._rows: list[Any] = []

    def __len__(self) -> int:
        return len(self._rows)

    def join(self, sequence: Any, most: int) -> None:
        """See `decoding.Rows.join`."""
        self._rows.append(sequence)

    def step(self, tokens: Sequence[int]) -> Floats:
        """See `decoding.Rows.step`."""
        return np.stack([row.append([token]) for row, token in zip(self._rows, tokens, strict=True)])

    def leave(self, row: int) -> None:
        """See `decoding.Rows.leave`."""
        self._rows[row] = self._rows[-1]
        self._rows.pop()


def _config(module: ModuleType, graph: bytes | Path, overlay: dict[str, Any]) -> Any:
    # The library reads its configuration from a folder alone: it gets one that holds nothing of the bundle.
    with tempfile.TemporaryDirectory(prefix="cloister-") as folder:
        Path(folder, "genai_config.json").write_text(json.dumps(_SKELETON))
        config = module.Config(folder)
    config.overlay(json.dumps(overlay))
    config.add_model_data(_GRAPH, graph)
    return config


def _overlay(settings: GeneratorSettings, context: int, threads: int) -> dict[str, Any]:
    decoder: dict[str, Any] = {
        "session_options": {
            "intra_op_num_threads": threads,
            "log_severity_level": 4,
            "session.intra_op.allow_spinning": "0",
        },
        "filename": _GRAPH,
        "head_size": settings.head_size,
        "hidden_size": settings.hidden_size,
        "num_attention_heads": settings.heads,
        "num_hidden_layers": settings.layers,
        "num_key_value_heads": settings.key_value_heads,
        "inputs": {
            "input_ids": "input_ids",
            "attention_mask": "attention_mask",
            "past_key_names": "past_key_values.%d.key",
            "past_value_names": "past_key_values.%d.value",
        },
        "outputs": {
            "logits": "logits",
            "present_key_names": "present.%d.key",
            "present_value_names": "present.%d.value",
        },
    }
    return {
        "model": {
            "type": settings.model_type,
            "context_length": context,
            "vocab_size": settings.vocabulary,
            "eos_token_id": settings.end_ids,
            "pad_token_id": settings.padding_id,
            "decoder": decoder,
        },
        "search": {"max_length": context, "past_present_share_buffer": True},
    }


def model_builder() -> ModuleType:
    """The library's model builder, which needs torch and transformers: for the export alone.

    Raises:
        MissingExtra: it is not installed.
    """
    genai()
    import importlib

    return importlib.import_module("onnxruntime_genai.models.builder")
