"""What a source model says about how its texts are to be sampled."""

from typing import Annotated

import msgspec


class Sampling(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Defaults of options that a request leaves out; None where the source model says nothing."""

    temperature: Annotated[float, msgspec.Meta(ge=0)] | None = None
    top_k: Annotated[int, msgspec.Meta(ge=0)] | None = None
    top_p: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    min_p: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    repetition_penalty: Annotated[float, msgspec.Meta(gt=0)] | None = None
