"""Handlers of /v1: parsed body in, answer out. The order of the work itself is the service's."""

import base64
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from ... import RequestTooLarge, Unsupported
from ..results import Answer, Classification, Embedding, Prediction, Score, Tagging
from ..service import Answered, Question, Service
from . import bodies
from .gate import Incoming, Outgoing


class V1:
    """The routes of /v1.

    Args:
        service: does the work.
        most_inputs: most texts of one request.
    """

    def __init__(self, service: Service, most_inputs: int) -> None:
        self._service = service
        self._most = most_inputs

    async def embeddings(self, body: bodies.EmbeddingsRequest, incoming: Incoming) -> Outgoing:
        """OpenAI's embeddings."""
        texts = self._texts(body.input)
        answered = await self._ask(incoming, body.model, texts, ["feature-extraction"], truncate=body.truncate)
        width = answered.model.engine.width
        if body.dimensions is not None and body.dimensions != width:
            raise Unsupported(f"the model's embeddings have {width} dimensions", hint="leave `dimensions` out")
        vectors = [(cast(Embedding, p).vector, p.truncated) for p in answered.predictions]
        data = [
            bodies.EmbeddingItem(
                object="embedding", index=i, embedding=_embedding(v, body.encoding_format), truncated=cut
            )
            for i, (v, cut) in enumerate(vectors)
        ]
        usage, redacted = _usage(incoming)
        return _out(bodies.Embeddings(object="list", model=body.model, data=data, usage=usage, redacted=redacted))

    async def classify(self, body: bodies.ClassifyRequest, incoming: Incoming) -> Outgoing:
        """Classes of texts or pairs, or which of the request's labels fits a text."""
        engine = self._service.models.get(body.model).engine
        if body.labels is not None and engine.task == "text-classification":
            raise Unsupported("the model has labels of its own", hint="leave `labels` out; GET /v1/models shows them")
        texts = self._texts(body.input)
        if len(texts) * len(body.labels or [""]) > self._most:
            raise RequestTooLarge(
                f"the request has more than {self._most} texts times labels", hint="send them in several requests"
            )
        tasks = ["text-classification", "zero-shot-classification"]
        question = Question(body.model, texts, tasks, incoming.timeout, body.truncate, body.labels)
        answered = await self._service.predict(incoming.trail, question)
        data = [_classified(i, cast(Classification, p)) for i, p in enumerate(answered.predictions)]
        usage, redacted = _usage(incoming)
        return _out(bodies.Classes(model=body.model, data=data, usage=usage, redacted=redacted))

    async def tag(self, body: bodies.TagRequest, incoming: Incoming) -> Outgoing:
        """Entities of texts, or of the first texts of pairs."""
        answered = await self._ask(incoming, body.model, self._texts(body.input), ["token-classification"])
        data = [_tagged(i, cast(Tagging, p)) for i, p in enumerate(answered.predictions)]
        usage, redacted = _usage(incoming)
        return _out(bodies.Tags(model=body.model, data=data, usage=usage, redacted=redacted))

    async def rerank(self, body: bodies.RerankRequest, incoming: Incoming) -> Outgoing:
        """Documents by how well they answer a query: by a model of pairs with one output, or by embeddings."""
        self._bounded(body.documents)
        engine = self._service.models.get(body.model).engine
        texts: Sequence[object]
        if engine.task == "feature-extraction":
            texts = [body.query, *body.documents]
        else:
            texts = [(body.query, document) for document in body.documents]
        tasks = ["text-ranking", "sentence-similarity", "text-classification", "feature-extraction"]
        answered = await self._ask(incoming, body.model, texts, tasks, truncate=body.truncate)
        scores = _relevance(answered.predictions)
        most = len(scores) if body.top_n is None else int(body.top_n)
        order = sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:most]
        data = [
            bodies.RankedItem(index=i, score=scores[i], document=body.documents[i] if body.return_documents else None)
            for i in order
        ]
        usage, redacted = _usage(incoming)
        return _out(bodies.Ranking(model=body.model, data=data, usage=usage, redacted=redacted))

    async def answer(self, body: bodies.AnswerRequest, incoming: Incoming) -> Outgoing:
        """The span of a context that answers a question."""
        answered = await self._ask(incoming, body.model, [(body.question, body.context)], ["question-answering"])
        found = cast(Answer, answered.predictions[0])
        item = bodies.AnswerItem(
            index=0,
            answer=found.answer,
            start=found.start,
            end=found.end,
            score=found.score,
            truncated=found.truncated,
        )
        usage, redacted = _usage(incoming)
        return _out(bodies.Answers(model=body.model, data=[item], usage=usage, redacted=redacted))

    async def redact(self, body: bodies.RedactRequest, incoming: Incoming) -> Outgoing:
        """Redacted texts; there is no way back, since no vault outlives a request."""
        texts = cast(list[str], self._texts(body.input))
        if self._service.guard.name == "off":
            raise Unsupported("redaction is off", hint="start the service with a --policy", code="redaction_off")
        guarded = await self._service.redact(incoming.trail, texts, body.language, incoming.timeout)
        data = [
            bodies.RedactedItem(
                index=i,
                text=g.text,
                spans=[
                    bodies.RedactedSpan(
                        start=s.start, end=s.end, entity=s.entity, score=s.score, replacement=s.replacement
                    )
                    for s in g.spans
                ],
            )
            for i, g in enumerate(guarded)
        ]
        return _out(bodies.Redacted(data=data, redacted=dict(incoming.trail.entities)))

    async def models(self, body: None, incoming: Incoming) -> Outgoing:
        """The loaded models."""
        cards = [
            bodies.ModelCard(
                id=model.name,
                object="model",
                created=int(model.loaded),
                owned_by="cloister",
                task=model.engine.task,
                labels=list(model.engine.labels),
                window=model.engine.tokenizer.window,
                digest=model.engine.digest,
                variant=model.engine.variant.name,
                provider=model.engine.provider,
                version=model.version,
            )
            for model in self._service.models
        ]
        return _out(bodies.ModelList(object="list", data=cards))

    async def _ask(
        self, incoming: Incoming, model: str, texts: Sequence[object], tasks: Sequence[str], *, truncate: bool = False
    ) -> Answered:
        question = Question(model, texts, tasks, incoming.timeout, truncate)
        return await self._service.predict(incoming.trail, question)

    def _texts(self, given: Any) -> Sequence[object]:
        return [given] if isinstance(given, str) else self._bounded(given)

    def _bounded(self, given: Sequence[object]) -> Sequence[object]:
        if len(given) > self._most:
            raise RequestTooLarge(
                f"the request has more than {self._most} inputs", hint="send them in several requests"
            )
        return given


def _usage(incoming: Incoming) -> tuple[bodies.Usage, dict[str, int]]:
    trail = incoming.trail
    return bodies.Usage(trail.input_tokens, trail.input_tokens), dict(trail.entities)


def _embedding(vector: Any, form: str) -> list[float] | str:
    if form == "base64":
        return base64.b64encode(np.asarray(vector, "<f4").tobytes()).decode()
    return vector.tolist()  # type: ignore[no-any-return]


def _classified(index: int, found: Classification) -> bodies.ClassifyItem:
    return bodies.ClassifyItem(
        index=index,
        label=found.label,
        score=found.score,
        scores=found.scores,
        labels=None if found.labels is None else list(found.labels),
        out_of_scope=found.out_of_scope,
        truncated=found.truncated,
    )


def _tagged(index: int, found: Tagging) -> bodies.TagItem:
    entities = [
        bodies.EntitySpan(start=e.start, end=e.end, text=e.text, label=e.label, score=e.score) for e in found.entities
    ]
    return bodies.TagItem(index=index, entities=entities, truncated=found.truncated)


def _relevance(predictions: Sequence[Prediction]) -> list[float]:
    """Cosine with the query's embedding, or the one output of a model of pairs."""
    if isinstance(predictions[0], Embedding):
        query, *documents = [cast(Embedding, p).vector.astype(np.float64) for p in predictions]
        return [float(query @ d) / max(float(np.linalg.norm(query) * np.linalg.norm(d)), 1e-12) for d in documents]
    if isinstance(predictions[0], Score):
        return [cast(Score, p).score for p in predictions]
    found = [cast(Classification, p) for p in predictions]
    if any(len(p.scores) != 1 for p in found):
        raise Unsupported(
            "the model classifies and does not rank", hint="rank with a cross-encoder or an embedding model"
        )
    return [p.score for p in found]


def _out(body: Any) -> Outgoing:
    return Outgoing(bodies.encode(body))
