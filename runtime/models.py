"""The models of a service: loaded, swapped and unloaded while requests run, none of which is lost."""

import asyncio
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .. import CloisterError, NotFound, Unavailable, Unsupported
from .batching import Batch
from .bundle import SEAL
from .consistency import is_plain
from .engine import Engine
from .manifest import MANIFEST
from .online import Concurrency, OnlineEngine
from .tagging import Taggers
from .writers import Writers

Observe = Callable[[str, Batch], None]

_PROBE_SECONDS = 5.0
_FRESH_SECONDS = 1.0


@dataclass(frozen=True)
class Model:
    """One model that answers.

    Attributes:
        name: as in requests.
        path: the bundle's folder.
        online: what answers.
        loaded: when, in seconds since 1970.
        version: counts the loads of this name, from 1.
    """

    name: str
    path: Path
    online: OnlineEngine | Writers
    loaded: float
    version: int

    @property
    def engine(self) -> Engine:
        """The engine behind it."""
        return self.online.engine

    @property
    def batched(self) -> OnlineEngine:
        """What answers, where the model answers texts in batches. Raises Unsupported where it writes."""
        if isinstance(self.online, OnlineEngine):
            return self.online
        raise Unsupported(
            f"a model for {self.engine.task} writes text", hint="use the routes for chat, completion or translation"
        )

    @property
    def writers(self) -> Writers:
        """What writes. Raises Unsupported where the model answers otherwise."""
        if isinstance(self.online, Writers):
            return self.online
        raise Unsupported("the model writes no text", hint="GET /v1/models shows the task of each model")


class Models:
    """Models by name. A swap changes one reference: requests that hold the old model finish on it.

    Args:
        load: a model's name and bundle folder to engine, verified; may take seconds and memory, runs in a thread.
        concurrency: for every model.
        folder: where `load(name)` looks; None: models are only what `add` brought.
        observe: told about every batch of every model.
        drain: most seconds that requests on a replaced model may still take.

    Attributes:
        taggers: the models that the guard asks for names: they run by the same rules, and no request names them.
    """

    def __init__(
        self,
        load: Callable[[str, Path], Engine],
        *,
        concurrency: Concurrency,
        folder: Path | None = None,
        observe: Observe | None = None,
        drain: float = 60.0,
    ) -> None:
        self._load = load
        self._concurrency = concurrency
        self._folder = folder
        self._observe = observe
        self._drain = drain
        self.taggers = Taggers(concurrency, observe)
        self._models: dict[str, Model] = {}
        self._versions: dict[str, int] = {}
        self._changing = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()

    def __iter__(self) -> Iterator[Model]:
        return iter(list(self._models.values()))

    def online(self) -> Iterator[tuple[str, OnlineEngine]]:
        """All that runs in batches, by name, the taggers too."""
        yield from ((model.name, model.online) for model in self if isinstance(model.online, OnlineEngine))
        yield from self.taggers

    def get(self, name: str) -> Model:
        """The model that answers to `name` now.

        Raises:
            NotFound: none does.
        """
        model = self._models.get(name)
        if model is None:
            raise NotFound(
                "no model of that name is loaded", hint="GET /v1/models lists those that are", code="unknown_model"
            )
        return model

    def available(self) -> list[str]:
        """Names that `load` accepts: the bundles in the folder."""
        if self._folder is None:
            return []
        return sorted(p.name for p in self._folder.iterdir() if is_plain(p.name) and _is_bundle(p))

    async def add(self, name: str, path: Path) -> Model:
        """Load a bundle, warm it up and let it answer, in place of a model of the same name if there is one.

        Raises:
            BundleError, ProviderError: as `load`; whatever answered before still does.
        """
        async with self._changing:
            online = await asyncio.to_thread(self._ready, name, path)
            self._versions[name] = self._versions.get(name, 0) + 1
            old = self._models.get(name)
            self._models[name] = Model(name, path, online, time.time(), self._versions[name])
        self._retire(old)
        return self._models[name]

    def _ready(self, name: str, path: Path) -> OnlineEngine | Writers:
        observe = self._observe
        engine = self._load(name, path)
        if engine.generates:
            return Writers(engine)
        online = OnlineEngine(
            engine, self._concurrency, None if observe is None else lambda batch: observe(name, batch)
        )
        online.warm_up()
        return online

    async def load(self, name: str) -> Model:
        """Load `name` from the folder of models, or load it again when it changed.

        Raises:
            NotFound: no folder was set, or it has no bundle of that name.
            BundleError, ProviderError: as `add`.
        """
        if self._folder is None or not is_plain(name) or not _is_bundle(self._folder / name):
            raise NotFound(
                "there is no bundle of that name to load",
                hint="put the bundle's folder into the folder given with --models",
                code="unknown_bundle",
            )
        return await self.add(name, self._folder / name)

    async def unload(self, name: str) -> None:
        """Take a model away; requests that have it finish. Raises NotFound."""
        async with self._changing:
            old = self.get(name)
            del self._models[name]
        self._retire(old)

    def _retire(self, model: Model | None) -> None:
        if model is None:
            return
        task = asyncio.ensure_future(asyncio.to_thread(self._finish, model))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _finish(self, model: Model) -> None:
        # A request that fetched the model just before the swap may still be on its way into the queue.
        time.sleep(_FRESH_SECONDS)
        model.online.close(self._drain)

    async def probe(self) -> None:
        """Make sure that every model and tagger answers: a probe goes through queue and model, unless a request did.

        Raises:
            Unavailable: there is no model, or one did not answer.
        """
        if not self._models:
            raise Unavailable("no model is loaded", hint="load one, or start with a bundle", code="not_ready")
        for _, online in self.online():
            if time.monotonic() - online.scheduler.last_success < _FRESH_SECONDS:
                continue
            try:
                await online.probe(_PROBE_SECONDS)
            except CloisterError as error:
                raise _not_ready() from error
        for model in self:
            if isinstance(model.online, Writers):
                try:
                    await model.online.probe(_PROBE_SECONDS)
                except CloisterError as error:
                    raise _not_ready() from error

    async def close(self, timeout: float = math.inf) -> bool:
        """Finish what was accepted; whether all of it was answered in time."""
        until = time.monotonic() + timeout
        # What the taggers were asked still has its model before it.
        tagged = await asyncio.to_thread(self.taggers.close, timeout)
        left = max(0.0, until - time.monotonic())
        done = await asyncio.gather(*(asyncio.to_thread(m.online.close, left) for m in self))
        return tagged and all(done)


def _not_ready() -> Unavailable:
    return Unavailable("a model did not answer its probe", hint="see the log and the metrics", code="not_ready")


def _is_bundle(path: Path) -> bool:
    return path.is_dir() and any((path / name).is_file() for name in (MANIFEST, SEAL))
