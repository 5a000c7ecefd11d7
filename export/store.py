"""Graphs of several variants -> their bytes and external data files, each tensor once."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import onnx_ir as ir

_SMALLEST = 1024  # bytes; smaller tensors stay in the graph
_ALIGNMENT = 64


@dataclass(frozen=True, repr=False)
class Stored:
    """What a variant's graph became.

    Attributes:
        graph: the serialized model.
        weights: name of the first file with its tensors: those that no other variant has, if there are any.
        shared: names of further files, with tensors that other variants have too.
        files: the contents of all these files; variants that share one hold the same bytes.
    """

    graph: bytes
    weights: str
    shared: list[str]
    files: dict[str, bytes] = field(default_factory=dict)


def store(models: Mapping[str, ir.Model], prefix: str) -> dict[str, Stored]:
    """Serialize variants with their tensors as ONNX external data, byte-identical ones only once.

    Tensors that the same variants share lie in one file, so that a variant reads its own tensors and no others.

    Args:
        models: by variant name; they are left as they are.
        prefix: how every file's name begins.
    """
    copies = {name: model.clone() for name, model in models.items()}
    users: dict[bytes, list[str]] = {}
    digests: dict[tuple[str, str], bytes] = {}
    for name, copy in copies.items():
        for value in _large(copy):
            tensor = cast(ir.TensorProtocol, value.const_value)
            digest = hashlib.sha256(f"{tensor.dtype} {tensor.shape}".encode() + tensor.tobytes()).digest()
            digests[name, value.name or ""] = digest
            if name not in users.setdefault(digest, []):
                users[digest].append(name)
    parts = sorted({tuple(names) for names in users.values()})
    common = [part for part in parts if len(part) > 1]
    names_of = {part: f"{prefix}.shared{number}.weights" for number, part in enumerate(common)}
    for (name,) in (part for part in parts if len(part) == 1):
        names_of[(name,)] = f"{prefix}.weights" if len(models) == 1 else f"{prefix}.{name}.weights"
    blobs: dict[str, bytearray] = {file: bytearray() for file in names_of.values()}
    places: dict[bytes, tuple[str, int]] = {}
    result = {}
    for name, copy in copies.items():
        for value in _large(copy):
            tensor = cast(ir.TensorProtocol, value.const_value)
            digest = digests[name, value.name or ""]
            if digest not in places:
                file = names_of[tuple(users[digest])]
                blobs[file].extend(bytes(-len(blobs[file]) % _ALIGNMENT))
                places[digest] = file, len(blobs[file])
                blobs[file].extend(tensor.tobytes())
            file, offset = places[digest]
            shape = cast(ir.Shape, tensor.shape)
            value.const_value = ir.ExternalTensor(
                file, offset, tensor.nbytes, tensor.dtype, shape=shape, name=value.name or ""
            )
        own, *shared = [names_of[part] for part in sorted(parts, key=len) if name in part]
        result[name] = Stored(ir.to_proto(copy).SerializeToString(), own, shared)
    for stored in result.values():
        stored.files.update({file: bytes(blobs[file]) for file in (stored.weights, *stored.shared)})
    return result


def _large(model: ir.Model) -> list[ir.Value]:
    return [
        value
        for value in model.graph.initializers.values()
        if value.const_value is not None and value.const_value.nbytes >= _SMALLEST
    ]
