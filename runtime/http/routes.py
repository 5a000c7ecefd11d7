"""Every route: one table, which the application, the OpenAPI description and the documentation page are made of."""

from . import bodies, written
from .gate import Route
from .operations import Operations
from .v1 import V1
from .v2 import V2
from .writes import Writes

_WORK = (400, 413, 415, 422, 429, 500, 503, 504)
_MODEL = (404, *_WORK)


def table(v1: V1, writes: Writes, v2: V2, operations: Operations) -> list[Route]:
    """All routes but the documents about them."""
    model_path = "/v2/models/{model}"
    return [
        Route(
            "POST",
            "/v1/embeddings",
            v1.embeddings,
            "Embeddings of texts, in OpenAI's shape",
            bodies.Embeddings,
            bodies.EmbeddingsRequest,
            audited=True,
            errors=_MODEL,
            example={"model": "minilm", "input": ["a first text", "a second one"]},
        ),
        Route(
            "POST",
            "/v1/classify",
            v1.classify,
            "Classes of texts or pairs of texts, or which of the labels given fits",
            bodies.Classes,
            bodies.ClassifyRequest,
            audited=True,
            errors=_MODEL,
            example={"model": "sentiment", "input": "a delight from start to finish"},
        ),
        Route(
            "POST",
            "/v1/tag",
            v1.tag,
            "Entities in texts",
            bodies.Tags,
            bodies.TagRequest,
            audited=True,
            errors=_MODEL,
            example={"model": "names", "input": "Ada Lovelace lived in London."},
        ),
        Route(
            "POST",
            "/v1/rerank",
            v1.rerank,
            "Documents by how well they answer a query",
            bodies.Ranking,
            bodies.RerankRequest,
            audited=True,
            errors=_MODEL,
            example={"model": "minilm", "query": "lost card", "documents": ["My card is gone", "Nice weather"]},
        ),
        Route(
            "POST",
            "/v1/answer",
            v1.answer,
            "The span of a context that answers a question",
            bodies.Answers,
            bodies.AnswerRequest,
            audited=True,
            errors=_MODEL,
            example={"model": "qa", "question": "Where is it?", "context": "It is in the drawer."},
        ),
        Route(
            "POST",
            "/v1/redact",
            v1.redact,
            "Texts without personal data",
            bodies.Redacted,
            bodies.RedactRequest,
            audited=True,
            errors=_WORK,
            tag="Privacy",
            example={"input": "Call me at 415-555-0132"},
        ),
        Route(
            "POST",
            "/v1/chat/completions",
            writes.chat,
            "A chat's next message (bundles that generate)",
            written.ChatCompletion,
            written.ChatRequest,
            audited=True,
            streams=True,
            errors=_MODEL,
        ),
        Route(
            "POST",
            "/v1/completions",
            writes.completions,
            "A text's continuation (bundles that generate)",
            written.TextCompletion,
            written.CompletionRequest,
            audited=True,
            streams=True,
            errors=_MODEL,
        ),
        Route(
            "POST",
            "/v1/translate",
            writes.translate,
            "Translations (bundles that translate)",
            written.Translations,
            bodies.TranslateRequest,
            audited=True,
            errors=_MODEL,
        ),
        Route("GET", "/v1/models", v1.models, "The loaded models", bodies.ModelList),
        Route("GET", "/v2", v2.server, "Server metadata", bodies.ServerMetadata, tag="Open Inference"),
        Route("GET", "/v2/health/live", v2.live, "Liveness", bodies.Live, access="open", tag="Open Inference"),
        Route(
            "GET",
            "/v2/health/ready",
            v2.ready,
            "Readiness of the server",
            bodies.Ready,
            access="open",
            errors=(503,),
            tag="Open Inference",
        ),
        *(
            Route("GET", path, v2.model, "Model metadata", bodies.ModelMetadata, errors=(404,), tag="Open Inference")
            for path in (model_path, f"{model_path}/versions/{{version}}")
        ),
        *(
            Route(
                "GET",
                f"{path}/ready",
                v2.model_ready,
                "Readiness of a model",
                bodies.Ready,
                errors=(400, 404, 429, 500, 503, 504),
                tag="Open Inference",
            )
            for path in (model_path, f"{model_path}/versions/{{version}}")
        ),
        *(
            Route(
                "POST",
                f"{path}/infer",
                v2.infer,
                "Inference with the tensors `text` and `text_pair`",
                bodies.Inferred,
                bodies.InferRequest,
                raw_body=True,
                audited=True,
                errors=_MODEL,
                tag="Open Inference",
                example={"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a text"]}]},
            )
            for path in (model_path, f"{model_path}/versions/{{version}}")
        ),
        Route(
            "POST",
            "/v2/repository/index",
            v2.index,
            "Models that are loaded or could be",
            "application/json",
            bodies.RepositoryRequest,
            errors=(400, 413, 415, 429),
            tag="Repository",
        ),
        Route(
            "POST",
            "/v2/repository/models/{model}/load",
            v2.load,
            "Load a bundle, or swap in its new version",
            bodies.Done,
            bodies.RepositoryRequest,
            access="admin",
            errors=(400, 404, 413, 415, 422, 429, 503),
            tag="Repository",
        ),
        Route(
            "POST",
            "/v2/repository/models/{model}/unload",
            v2.unload,
            "Take a model away",
            bodies.Done,
            bodies.RepositoryRequest,
            access="admin",
            errors=(400, 404, 413, 415, 429),
            tag="Repository",
        ),
        Route(
            "GET",
            "/health/live",
            operations.live,
            "The process answers",
            bodies.Health,
            access="open",
            admitted=False,
            tag="Operations",
        ),
        Route(
            "GET",
            "/health/ready",
            operations.ready,
            "Every model answered a probe",
            bodies.Health,
            access="open",
            admitted=False,
            errors=(503,),
            tag="Operations",
        ),
        Route(
            "GET",
            "/metrics",
            operations.metrics,
            "Metrics in Prometheus's format",
            "text/plain",
            admitted=False,
            tag="Operations",
        ),
    ]
