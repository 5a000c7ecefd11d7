"""Named entities for redaction: what stands behind the entry point group `cloister.taggers`.

`bundle` makes a tagger of any tagging bundle, `builtin` is the one that comes with Cloister: a bundle for each script,
beside this file.
"""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .. import InvalidInput
from .engine import Engine, Options
from .loading import load
from .manifest import MANIFEST
from .processor import available_threads
from .results import Entity, Prediction, Tagging
from .scripts import Script, has, merged
from .session import onnxruntime

__all__ = ["BundleTagger", "ScriptTagger", "default", "from_bundle"]

# Half of a surrogate pair stands for no character, and no tokenizer takes it; one for one keeps offsets.
_HALVES = dict.fromkeys(range(55296, 57344), "�")

# Most texts of one call of the engine: a long text comes in thousands of segments, and their outputs take memory.
_AT_ONCE = 64
# From so many texts on they are worth a thread for each processor.
_WORTH_THREADS = 8

_FOLDER = Path(__file__).with_name("taggers")
_BUNDLES = {Script.latin: "english", Script.han: "chinese"}

Predict = Callable[[list[str]], Sequence[Prediction]]


class BundleTagger:
    """A tagging model as the `Tagger` that a `Redactor` takes. Safe to call from threads.

    Args:
        engine: a loaded bundle whose task is `token-classification`. Texts past the model's window are read in
            overlapping windows, offsets stay those of the text.
        predict: what runs texts, in place of the engine's own `predict`: a service's scheduler. The engine's own is
            called from a thread for each processor where many texts come at once, which takes about half of the time
            of one thread on two processors (`make bench-names`).

    Raises:
        InvalidInput: the bundle has another task.
    """

    def __init__(self, engine: Engine, predict: Predict | None = None) -> None:
        if engine.task != "token-classification":
            raise InvalidInput(
                f"The task of the bundle is {engine.task}, a tagger needs token-classification.",
                hint="Name a tagging bundle; `cloister inspect` shows the task.",
            )
        self.engine = engine
        self._predict: Predict = predict or engine.predict
        self._workers = 1 if predict is not None else max(1, available_threads() // engine.threads)

    def __repr__(self) -> str:
        return f"BundleTagger({self.engine!r})"

    def __call__(self, texts: list[str], /) -> Sequence[Sequence[Entity]]:
        """Entities of every text, in the order of the texts; offsets are code points. Raises what the engine raises."""
        workers = self._workers if len(texts) >= _WORTH_THREADS else 1
        size = min(_AT_ONCE, -(-len(texts) // workers)) or 1
        parts = [texts[start : start + size] for start in range(0, len(texts), size)]
        if workers == 1:
            return [entities for part in parts for entities in self._entities(part)]
        # Threads of this call alone: none is left behind for a fork or an idle process.
        with ThreadPoolExecutor(workers, "cloister-tagger") as pool:
            return [entities for part in pool.map(self._entities, parts) for entities in part]

    def _entities(self, texts: list[str]) -> list[Sequence[Entity]]:
        predictions = self._predict([text.translate(_HALVES) for text in texts])
        return [prediction.entities if isinstance(prediction, Tagging) else () for prediction in predictions]


class ScriptTagger:
    """A tagger for each script, each made when the first text of its script comes. Safe to call from threads.

    Texts with letters of several scripts go to all their taggers; where two claim the same characters, the tagger of
    the script has them. Texts without a letter of any script go to none.

    Args:
        make: by script, how to make the tagger; raises what `load` raises, and is then asked again by the next text.
    """

    def __init__(self, make: Mapping[Script, Callable[[], BundleTagger]]) -> None:
        self._make = dict(make)
        self._made: dict[Script, BundleTagger] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"ScriptTagger({', '.join(self._make)})"

    @property
    def scripts(self) -> tuple[Script, ...]:
        """Scripts that have a tagger."""
        return tuple(self._make)

    def tagger(self, script: Script) -> BundleTagger:
        """The tagger of a script, made now if it was not yet. Raises KeyError where the script has none."""
        made = self._made.get(script)
        if made is None:
            with self._lock:
                made = self._made.get(script)
                if made is None:
                    made = self._made[script] = self._make[script]()
        return made

    def __call__(self, texts: list[str], /) -> Sequence[Sequence[Entity]]:
        """Entities of every text, in the order of the texts; offsets are code points.

        Raises:
            BundleError, ProviderError: a bundle cannot be used.
        """
        found: list[dict[Script, Sequence[Entity]]] = [{} for _ in texts]
        for script in self._make:
            places = [place for place, text in enumerate(texts) if has(text, script)]
            if places:
                answers = self.tagger(script)([texts[place] for place in places])
                for place, entities in zip(places, answers, strict=True):
                    found[place][script] = entities
        return [
            merged(text, by_script) if len(by_script) > 1 else next(iter(by_script.values()), ())
            for text, by_script in zip(texts, found, strict=True)
        ]


def from_bundle(path: str | os.PathLike[str]) -> BundleTagger:
    """Tagger from a bundle folder, on one CPU thread a run: segments are short, and many requests share the cores.

    Raises:
        BundleError, MissingExtra, ProviderError: as `load`.
        InvalidInput: the bundle has another task.
    """
    return BundleTagger(load(Path(path), options=Options(provider="cpu", threads=1)))


def default(folder: Path | None = None) -> ScriptTagger | None:
    """The tagger that comes with Cloister: English for Latin letters, Chinese for Han where there is a bundle for it.

    Nothing is loaded here: a bundle is read and verified when the first text of its script comes.

    Args:
        folder: has a bundle folder for each language; by default the one beside this file.

    Returns:
        None where the English bundle is not there, as in a checkout without it.

    Raises:
        MissingExtra: onnxruntime is not installed.
    """
    home = _FOLDER if folder is None else folder
    there = {script: home / language for script, language in _BUNDLES.items() if (home / language / MANIFEST).is_file()}
    if Script.latin not in there:
        return None
    onnxruntime()  # what is missing is said now, and not by the first text
    return ScriptTagger({script: _loading(path) for script, path in there.items()})


def _loading(path: Path) -> Callable[[], BundleTagger]:
    return lambda: from_bundle(path)
