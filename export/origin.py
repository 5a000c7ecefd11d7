"""What the manifest says of the environment that exported a model."""

from importlib.metadata import version

from .. import __version__

_LIBRARIES = ("torch", "transformers", "onnx", "onnxscript", "onnxruntime", "tokenizers")


def versions(*more: str) -> dict[str, str]:
    """Versions of Cloister, of the libraries that every export uses, and of `more`."""
    return {"cloister": __version__} | {name: version(name) for name in (*_LIBRARIES, *more)}
