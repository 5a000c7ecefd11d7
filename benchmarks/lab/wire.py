"""Frames between the lab and its workers: length of a JSON header, the header, raw float32 where it names a shape."""

import json
import struct
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

_LENGTH = struct.Struct(">I")


def send(stream: IO[bytes], header: dict[str, Any], rows: NDArray[np.float32] | None = None) -> None:
    """Write one frame."""
    if rows is not None:
        header = {**header, "shape": list(rows.shape)}
    data = json.dumps(header).encode()
    stream.write(_LENGTH.pack(len(data)) + data)
    if rows is not None:
        stream.write(np.ascontiguousarray(rows, np.float32).tobytes())
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[dict[str, Any], NDArray[np.float32] | None]:
    """Read one frame. Raises EOFError where the other side has gone."""
    (length,) = _LENGTH.unpack(_exactly(stream, _LENGTH.size))
    header: dict[str, Any] = json.loads(_exactly(stream, length))
    shape = header.get("shape")
    if shape is None:
        return header, None
    data = _exactly(stream, 4 * int(np.prod(shape)))
    return header, np.frombuffer(data, np.float32).reshape(shape)


def _exactly(stream: IO[bytes], count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError("the other side has gone")
    return data
