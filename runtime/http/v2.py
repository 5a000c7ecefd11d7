"""Handlers of /v2: the Open Inference Protocol (KServe, Triton), its binary tensors and its model repository.

Source: https://github.com/kserve/open-inference-protocol (REST), and Triton's extensions `binary_tensor_data` and
`model_repository`.
"""

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import InvalidInput, NotFound, RequestTooLarge, Unsupported, __version__
from ..models import Model
from ..results import Answer, Classification, Embedding, Filling, Prediction, Score, Tagging, to_json
from ..service import Question, Service
from ..tasks import TOP_K
from . import bodies
from .gate import Incoming, Outgoing

_ANY = -1
_OCTETS = b"application/octet-stream"
_NUMBERS = {"FP32": "<f4", "FP64": "<f8", "INT64": "<i8"}
_OUTPUTS: dict[str, list[tuple[str, str]]] = {
    "text-classification": [("label", "BYTES"), ("score", "FP64"), ("scores", "FP64")],
    "token-classification": [("entities", "BYTES")],
    "feature-extraction": [("embedding", "FP32")],
    "question-answering": [("answer", "BYTES"), ("start", "INT64"), ("end", "INT64"), ("score", "FP64")],
    "zero-shot-classification": [("label", "BYTES"), ("score", "FP64"), ("scores", "FP64")],
    "fill-mask": [("masks", "BYTES")],
    "sentence-similarity": [("score", "FP64")],
    "text-ranking": [("score", "FP64")],
}
_INPUTS = {"fill-mask": ["text"], "zero-shot-classification": ["text", "labels"]}
_TEXT_AND_PAIR = ["text", "text_pair"]


class V2:
    """The routes of /v2.

    Args:
        service: does the work.
        most_inputs: most texts of one request.
    """

    def __init__(self, service: Service, most_inputs: int) -> None:
        self._service = service
        self._most = most_inputs

    async def server(self, body: None, incoming: Incoming) -> Outgoing:
        """Server metadata."""
        extensions = ["binary_tensor_data", "model_repository"]
        return _out(bodies.ServerMetadata(name="cloister", version=__version__, extensions=extensions))

    async def live(self, body: None, incoming: Incoming) -> Outgoing:
        """Liveness."""
        return _out(bodies.Live(True))

    async def ready(self, body: None, incoming: Incoming) -> Outgoing:
        """Readiness of the server: a probe went through every model."""
        await self._service.models.probe()
        return _out(bodies.Ready(True))

    async def model(self, body: None, incoming: Incoming) -> Outgoing:
        """Model metadata."""
        model = self._described(incoming)
        names = _INPUTS.get(model.engine.task, _TEXT_AND_PAIR)
        inputs = [bodies.TensorMetadata(name=name, datatype="BYTES", shape=[_ANY]) for name in names]
        outputs = [
            bodies.TensorMetadata(name=name, datatype=kind, shape=_shape(model, name))
            for name, kind in _OUTPUTS[model.engine.task]
        ]
        return _out(
            bodies.ModelMetadata(
                name=model.name,
                versions=[str(model.version)],
                platform="cloister_bundle",
                inputs=inputs,
                outputs=outputs,
            )
        )

    async def model_ready(self, body: None, incoming: Incoming) -> Outgoing:
        """Readiness of a model."""
        model = self._model(incoming)
        await model.online.probe(incoming.timeout)
        return _out(bodies.Ready(True))

    async def infer(self, raw: bytes, incoming: Incoming) -> Outgoing:
        """Inference; tensors as JSON or binary."""
        model = self._described(incoming)
        request, binary = _split(raw, incoming.headers)
        columns = _columns(request, binary)
        texts = self._texts(columns)
        wanted = [name for name, _ in _OUTPUTS[model.engine.task]]
        if request.outputs is not None:
            asked = [o.name for o in request.outputs]
            if not set(asked) <= set(wanted):
                raise InvalidInput("an output is asked for that the model has not", hint=f"it has {', '.join(wanted)}")
            wanted = asked
        labels, top_k = columns.get("labels"), request.parameters.get("top_k", TOP_K)
        if not isinstance(top_k, int) or isinstance(top_k, bool):
            raise InvalidInput("the parameter top_k is not a whole number", hint="leave it out for five candidates")
        if len(texts) * len(labels or [""]) > self._most:
            raise RequestTooLarge(
                f"the request has more than {self._most} texts times labels", hint="send them in several requests"
            )
        question = Question(model.name, texts, list(_OUTPUTS), incoming.timeout, labels=labels, top_k=top_k)
        answered = await self._service.predict(incoming.trail, question)
        tensors = _tensors(answered.predictions)
        kinds = dict(_OUTPUTS[answered.model.engine.task])
        in_binary = _wants_binary(request)
        outputs, blobs = [], []
        for name in wanted:
            values, shape = tensors[name]
            tensor = bodies.OutputTensor(name=name, shape=shape, datatype=kinds[name])
            if in_binary(name):
                blob = _packed(values, kinds[name])
                tensor.parameters = {"binary_data_size": len(blob)}
                blobs.append(blob)
            else:
                tensor.data = values
            outputs.append(tensor)
        parameters = {f"redacted_{entity}": n for entity, n in incoming.trail.entities.items()}
        head = bodies.encode(
            bodies.Inferred(
                model_name=model.name,
                model_version=str(answered.model.version),
                outputs=outputs,
                id=request.id,
                parameters=parameters or None,
            )
        )
        if not blobs:
            return Outgoing(head)
        return Outgoing(
            b"".join([head, *blobs]),
            _OCTETS,
            [(b"inference-header-content-length", str(len(head)).encode())],
        )

    async def index(self, body: bodies.RepositoryRequest, incoming: Incoming) -> Outgoing:
        """Models that are loaded, and those that could be."""
        loaded = {m.name: m for m in self._service.models}
        found = [bodies.RepositoryModel(name=m.name, version=str(m.version), state="READY") for m in loaded.values()]
        if not body.ready:
            found += [
                bodies.RepositoryModel(name=name, state="UNAVAILABLE", reason="not loaded")
                for name in self._service.models.available()
                if name not in loaded
            ]
        return Outgoing(bodies.encode_list(found))

    async def load(self, body: bodies.RepositoryRequest, incoming: Incoming) -> Outgoing:
        """Load a bundle of the folder of models, or load it again: it answers once it is verified and warm."""
        incoming.trail.model = incoming.path["model"]
        model = await self._service.models.load(incoming.path["model"])
        incoming.trail.model_digest = model.engine.digest
        return _out(bodies.Done())

    async def unload(self, body: bodies.RepositoryRequest, incoming: Incoming) -> Outgoing:
        """Take a model away; requests that it has are finished."""
        await self._service.models.unload(incoming.path["model"])
        return _out(bodies.Done())

    def _model(self, incoming: Incoming) -> Model:
        incoming.trail.model = incoming.path["model"]
        model = self._service.models.get(incoming.path["model"])
        if incoming.path.get("version", str(model.version)) != str(model.version):
            raise NotFound(
                "the model has no such version loaded", hint=f"version {model.version} is", code="unknown_version"
            )
        return model

    def _described(self, incoming: Incoming) -> Model:
        model = self._model(incoming)
        if model.engine.task not in _OUTPUTS:
            raise Unsupported(
                "models that write text have no tensors in this protocol",
                hint="use /v1/chat/completions, /v1/completions or /v1/translate",
                code="unsupported_task",
            )
        return model

    def _texts(self, columns: dict[str, list[str]]) -> Sequence[object]:
        first, second = columns["text"], columns.get("text_pair")
        if len(first) > self._most:
            raise RequestTooLarge(
                f"the request has more than {self._most} inputs", hint="send them in several requests"
            )
        if not first:
            raise InvalidInput("the input tensors are empty", hint="send at least one text")
        if second is None:
            return first
        if len(first) != len(second):
            raise InvalidInput("`text` and `text_pair` have different lengths", hint="send one pair for every text")
        return list(zip(first, second, strict=True))


def _shape(model: Model, name: str) -> list[int]:
    if name == "scores":
        return [_ANY, _ANY if model.engine.task == "zero-shot-classification" else len(model.engine.labels)]
    if name == "embedding":
        return [_ANY, model.engine.width or _ANY]
    return [_ANY]


def _split(raw: bytes, headers: Any) -> tuple[bodies.InferRequest, memoryview]:
    """The JSON part and the binary part of a request."""
    given = headers.get(b"inference-header-content-length")
    if given is None:
        return bodies.decode(raw, bodies.InferRequest), memoryview(b"")
    if not given.isdigit() or not 0 < int(given) <= len(raw):
        raise InvalidInput(
            "Inference-Header-Content-Length does not fit the body", hint="send the number of bytes of the JSON part"
        )
    return bodies.decode(raw[: int(given)], bodies.InferRequest), memoryview(raw)[int(given) :]


def _columns(request: bodies.InferRequest, binary: memoryview) -> dict[str, list[str]]:
    """Texts by the name of their tensor."""
    columns: dict[str, list[str]] = {}
    for tensor in request.inputs:
        if tensor.name not in ("text", "text_pair", "labels") or tensor.name in columns:
            raise InvalidInput(
                "an input tensor is unknown or comes twice", hint="inputs are `text`, `text_pair` and `labels`"
            )
        if tensor.datatype != "BYTES":
            raise InvalidInput("an input tensor is not of type BYTES", hint="texts are BYTES in UTF-8")
        size = tensor.parameters.get("binary_data_size")
        if size is None:
            if tensor.data is None or not all(isinstance(value, str) for value in _flat(tensor.data)):
                raise InvalidInput("an input tensor has no texts as data", hint="`data` is a list of strings")
            texts = list(_flat(tensor.data))
        else:
            if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= len(binary):
                raise InvalidInput("binary_data_size does not fit the body", hint="send the number of bytes")
            texts, binary = _unpacked(bytes(binary[:size])), binary[size:]
        count = int(np.prod([float(n) for n in tensor.shape])) if tensor.shape else 1
        if count != len(texts):
            raise InvalidInput("an input tensor's shape and data do not fit", hint="the shape of n texts is [n]")
        columns[tensor.name] = texts
    if "text" not in columns:
        raise InvalidInput("the input tensor `text` is missing", hint="inputs are `text` and, for pairs, `text_pair`")
    if len(binary):
        raise InvalidInput("the body has more binary data than its tensors", hint="check binary_data_size")
    return columns


def _flat(data: list[Any]) -> list[Any]:
    return [value for row in data for value in (row if isinstance(row, list) else [row])]


def _unpacked(blob: bytes) -> list[str]:
    """Texts of a binary BYTES tensor: each with its length as a little-endian 32-bit number before it."""
    texts, at = [], 0
    while at < len(blob):
        if at + 4 > len(blob):
            raise InvalidInput("a binary tensor ends inside of a length", hint="see the binary tensor extension")
        (length,) = struct.unpack_from("<I", blob, at)
        at += 4
        if at + length > len(blob):
            raise InvalidInput("a binary tensor ends inside of a text", hint="see the binary tensor extension")
        try:
            texts.append(blob[at : at + length].decode())
        except UnicodeDecodeError:
            raise InvalidInput("a text in a binary tensor is not UTF-8", hint="encode texts as UTF-8") from None
        at += length
    return texts


def _packed(values: list[Any], kind: str) -> bytes:
    if kind != "BYTES":
        return np.asarray(values, _NUMBERS[kind]).tobytes()
    encoded = [str(value).encode() for value in values]
    return b"".join(part for text in encoded for part in (struct.pack("<I", len(text)), text))


def _wants_binary(request: bodies.InferRequest) -> Any:
    everything = request.parameters.get("binary_data_output") is True
    named = {o.name: o.parameters.get("binary_data") for o in request.outputs or []}
    return lambda name: named[name] is True if named.get(name) is not None else everything


def _tensors(predictions: Sequence[Prediction]) -> dict[str, tuple[list[Any], list[int]]]:
    """Values (flat, row by row) and shape of every output."""
    count = len(predictions)
    columns: dict[str, list[Any]] = {}
    for prediction in predictions:
        fields: dict[str, list[Any]]
        match prediction:
            case Classification():
                fields = {"label": [prediction.label], "score": [prediction.score]}
                fields["scores"] = list(prediction.scores.values())
            case Tagging():
                entities = to_json(prediction)["entities"]
                fields = {"entities": [bodies.encode_any(entities).decode()]}
            case Embedding():
                fields = {"embedding": prediction.vector.tolist()}
            case Answer():
                fields = {
                    "answer": [prediction.answer],
                    "start": [prediction.start],
                    "end": [prediction.end],
                    "score": [prediction.score],
                }
            case Filling():
                fields = {"masks": [bodies.encode_any(to_json(prediction)["masks"]).decode()]}
            case Score():
                fields = {"score": [prediction.score]}
        for name, values in fields.items():
            columns.setdefault(name, []).extend(values)
    wide = ("scores", "embedding")
    return {
        name: (values, [count, len(values) // count] if name in wide else [count]) for name, values in columns.items()
    }


def _out(body: Any) -> Outgoing:
    return Outgoing(bodies.encode(body))
