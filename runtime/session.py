"""The one file that imports onnxruntime: a graph and its weights, both in memory, become a function of arrays."""

import importlib.metadata
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .. import BundleError, CloisterError, MissingExtra, ProviderError, Unsupported

Arrays = Mapping[str, NDArray[np.generic]]
CpuNodes = Literal["refuse", "warn"]

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}

_MODEL_OPTIONS = "ORT_LOAD_CONFIG_FROM_MODEL"

# ONNX Runtime's fused skip + layer norm is several times slower on CPU than the addition and the layer norm it replaces
# (benchmarks/README.md), so the fusion is switched off.
_SLOW_FUSIONS = ["SkipLayerNormFusion"]


def onnxruntime() -> ModuleType:
    """Import onnxruntime with its telemetry switched off.

    Raises:
        MissingExtra: neither the CPU nor the GPU build is installed.
        CloisterError: both builds are installed, each overwriting parts of the other.
    """
    installed = [name for name in ("onnxruntime", "onnxruntime-gpu") if _is_installed(name)]
    if len(installed) == 2:
        raise CloisterError(
            "onnxruntime and onnxruntime-gpu are both installed and overwrite each other",
            hint="pip uninstall -y onnxruntime onnxruntime-gpu, then install one: pip install 'cloister[cpu]'",
            code="conflicting_runtimes",
        )
    imported_before = "onnxruntime" in sys.modules and os.environ.get("ORT_DISABLE_TELEMETRY") != "1"
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when the library is loaded
    try:
        import onnxruntime as module
    except ImportError as error:
        raise MissingExtra(
            "onnxruntime is not installed",
            hint="pip install 'cloister[cpu]' (or 'cloister[gpu]' on a machine with CUDA)",
        ) from error
    if imported_before:
        module.disable_telemetry_events()
        warnings.warn(
            "onnxruntime was imported before cloister with its telemetry on; it is switched off from here on. "
            "Set ORT_DISABLE_TELEMETRY=1 or import cloister.runtime first.",
            RuntimeWarning,
            stacklevel=3,
        )
    return module  # type: ignore[no-any-return]


def _is_installed(distribution: str) -> bool:
    try:
        importlib.metadata.distribution(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def available_providers() -> list[str]:
    """Names of the execution providers that this machine's onnxruntime offers, in Cloister's words."""
    offered = onnxruntime().get_available_providers()
    return [name for name, theirs in _PROVIDERS.items() if theirs in offered]


def require(provider: str, extra: str = "gpu") -> None:
    """Whether models can be opened for a provider here.

    Args:
        extra: the one of Cloister's that has the provider.

    Raises:
        ProviderError: it is not available.
        Unsupported: the environment lets models set their own options.
    """
    if provider not in available_providers():
        raise ProviderError(
            f"this onnxruntime has no provider for {provider}",
            hint=f"use --provider cpu, or install the build for it: pip install 'cloister[{extra}]'",
        )
    if os.environ.get(_MODEL_OPTIONS) == "1":
        raise Unsupported(
            f"{_MODEL_OPTIONS} lets a model set its own options, such as a profile that is written to the disk",
            hint=f"unset {_MODEL_OPTIONS}",
        )


@dataclass(frozen=True)
class Node:
    """One operator of a loaded graph, after onnxruntime's own optimizations, and the provider that runs it."""

    name: str
    op_type: str
    provider: str


@dataclass(frozen=True)
class Diagnostics:
    """Files that onnxruntime writes on request. They hold parts of the model.

    Attributes:
        profile: beginning of the name of a profile (JSON), written when the engine is gone.
        optimized_model: ONNX file of the graph as onnxruntime runs it.
    """

    profile: str | None = None
    optimized_model: str | None = None

    @property
    def writes(self) -> bool:
        """Whether any file is written."""
        return self.profile is not None or self.optimized_model is not None


class Session:
    """One graph, ready to run. Safe to call from several threads at once.

    Args:
        graph: a serialized ONNX model; or the path of one, which then is opened with the weights beside it.
        weights: external data files by name, as the graph refers to them; nothing is read from disk.
        provider: `cpu` or `cuda`.
        threads: threads for one run.
        successive: runs follow each other at once, so its threads go on waiting for some 40 ms after one.
        exact_sums: have signed 8-bit weights widened on processors whose 8-bit products saturate: slower, and right.
        cpu_nodes: whether single operators may run on the processor when the provider is another: `refuse` or `warn`.
        diagnostics: what is written beside; nothing unless asked for.

    Raises:
        BundleError: onnxruntime does not accept the graph.
        ProviderError: the provider is not available, or does not run every operator and `cpu_nodes` refuses.
        Unsupported: the environment lets models set options.
    """

    def __init__(
        self,
        graph: bytes | Path,
        weights: Mapping[str, bytes],
        *,
        provider: str,
        threads: int,
        exact_sums: bool = False,
        successive: bool = False,
        cpu_nodes: CpuNodes = "refuse",
        diagnostics: Diagnostics | None = None,
    ) -> None:
        runtime = onnxruntime()
        require(provider)
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        # Between two operators of a run its threads wait spinning, which saves a tenth of the time; when the run ends
        # they stop, so that an idle session takes no processor from anything beside it.
        options.add_session_config_entry("session.intra_op.allow_spinning", "1")
        if not successive:
            options.add_session_config_entry("session.force_spinning_stop", "1")
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
        if exact_sums:
            options.add_session_config_entry("session.x64quantprecision", "1")
        if diagnostics is not None and diagnostics.profile is not None:
            options.enable_profiling = True
            options.profile_file_prefix = diagnostics.profile
        if diagnostics is not None and diagnostics.optimized_model is not None:
            options.optimized_model_filepath = diagnostics.optimized_model
        if weights:
            options.add_external_initializers_from_files_in_memory(
                list(weights), list(weights.values()), [len(w) for w in weights.values()]
            )
        try:
            self._session = runtime.InferenceSession(
                graph if isinstance(graph, bytes) else str(graph),
                options,
                providers=[_PROVIDERS[provider]],
                disabled_optimizers=_SLOW_FUSIONS,
                enable_fallback=0,  # it prints names of the graph on standard output
            )
        except Exception as error:
            if provider != "cpu":
                raise ProviderError(
                    f"{provider} did not start on this machine, or does not run this graph",
                    hint="check driver, CUDA and cuDNN for this onnxruntime, or use --provider cpu",
                ) from error
            raise BundleError(
                "onnxruntime does not accept the bundle's graph",
                hint="the bundle may need a newer onnxruntime: pip install --upgrade onnxruntime",
                code="graph_rejected",
            ) from error
        self.provider = provider
        self.widths = {value.name: value.shape[-1] if value.shape else None for value in self._session.get_outputs()}
        self.inputs = frozenset(value.name for value in self._session.get_inputs())
        self.outputs = tuple(value.name for value in self._session.get_outputs())
        self.nodes = _nodes(self._session)
        check_assignment(provider, self._session.get_providers(), self.nodes, cpu_nodes)

    def width(self) -> int | None:
        """Size of the first output's last axis, None where the graph leaves it open."""
        found = self.widths[self.outputs[0]]
        return found if isinstance(found, int) else None

    def run(self, arrays: Arrays, outputs: Sequence[str] | None = None) -> list[NDArray[Any]]:
        """Outputs of the graph, all of them in their order unless named. Arrays the graph does not read are dropped."""
        feeds = {name: array for name, array in arrays.items() if name in self.inputs}
        if self.provider != "cpu":
            return self._run_bound(feeds, self.outputs if outputs is None else outputs, self.provider)
        results: list[NDArray[Any]] = self._session.run(outputs, feeds)
        return results

    def in_place(
        self, places: Sequence[tuple[str, str, NDArray[Any]]], result: str, into: NDArray[Any] | None = None
    ) -> "InPlace":
        """Runs on the processor that read and write some arrays where they are; see `InPlace`."""
        return InPlace(self._session, places, result, into)

    def _run_bound(self, feeds: Arrays, outputs: Sequence[str], device: str) -> list[NDArray[Any]]:
        """One run with inputs and outputs bound to the device: one copy there before it, one copy back after it."""
        value = onnxruntime().OrtValue
        binding = self._session.io_binding()
        for name, array in feeds.items():
            binding.bind_ortvalue_input(name, value.ortvalue_from_numpy(np.ascontiguousarray(array), device, 0))
        for name in outputs:
            binding.bind_output(name, device, 0)
        binding.synchronize_inputs()
        self._session.run_with_iobinding(binding)
        binding.synchronize_outputs()
        results: list[NDArray[Any]] = binding.copy_outputs_to_cpu()
        return results


class InPlace:
    """Runs of a session in which an output takes the place of an input, in the same array. For one thread at a time.

    Args:
        session: of onnxruntime.
        places: names of an input and an output, and the C-contiguous array that is both.
        result: one more output.
        into: where that is written, each time; None: each run gives a new array.
    """

    def __init__(
        self, session: Any, places: Sequence[tuple[str, str, NDArray[Any]]], result: str, into: NDArray[Any] | None
    ) -> None:
        self._session = session
        self._binding = session.io_binding()
        self._result, self._into = result, into
        value = onnxruntime().OrtValue
        self._values = [value.ortvalue_from_numpy(array) for _, _, array in places]  # each keeps its array alive
        for (read, written, _), one in zip(places, self._values, strict=True):
            self._binding.bind_ortvalue_input(read, one)
            self._binding.bind_ortvalue_output(written, one)
        if into is not None:
            self._values.append(value.ortvalue_from_numpy(into))
            self._binding.bind_ortvalue_output(result, self._values[-1])

    def run(self, arrays: Arrays) -> NDArray[Any]:
        """The result, from all inputs that have no place."""
        for name, array in arrays.items():
            self._binding.bind_cpu_input(name, np.ascontiguousarray(array))
        if self._into is not None:
            self._session.run_with_iobinding(self._binding)
            return self._into
        self._binding.bind_output(self._result, "cpu")
        self._session.run_with_iobinding(self._binding)
        found: NDArray[Any] = self._binding.get_outputs()[len(self._values)].numpy()
        self._binding.bind_output(self._result, "cpu")  # lets go of the memory of this one
        return found


def _nodes(session: Any) -> tuple[Node, ...]:
    names = {theirs: ours for ours, theirs in _PROVIDERS.items()}
    return tuple(
        Node(node.name, node.op_type, names.get(part.ep_name, part.ep_name))
        for part in session.get_provider_graph_assignment_info()
        for node in part.get_nodes()
    )


def check_assignment(provider: str, registered: Sequence[str], nodes: Sequence[Node], cpu_nodes: CpuNodes) -> None:
    """Whether a session runs where it was asked to: onnxruntime falls back to the processor without a word.

    Raises:
        ProviderError: the provider did not start, or operators run elsewhere and `cpu_nodes` refuses.
    """
    if _PROVIDERS[provider] not in registered:
        raise ProviderError(
            f"{provider} did not start on this machine",
            hint="check driver, CUDA and cuDNN for this onnxruntime, or use --provider cpu",
        )
    elsewhere = [node for node in nodes if node.provider != provider]
    if not elsewhere:
        return
    kinds = ", ".join(sorted({node.op_type for node in elsewhere}))
    what = f"{len(elsewhere)} of {len(nodes)} operators do not run on {provider}: {kinds}"
    if cpu_nodes == "refuse":
        raise ProviderError(what, hint="use --provider cpu, or allow it with Options(cpu_nodes='warn')")
    warnings.warn(what, RuntimeWarning, stacklevel=4)
