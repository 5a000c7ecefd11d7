"""What the monitor says: which kind of thing, who, and figures. Never content."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

KINDS: Mapping[str, str] = {
    "burst": "more inputs than the rate allows, of one client or of all together",
    "near_duplicates": "many texts that differ a little from earlier ones of the same client",
    "boundary_walk": "texts that differ a little from earlier ones, where the model's two best scores are close",
    "entity_jump": "more personal data in the texts of one client, or of all, than before",
    "refusals": "many requests that were refused",
    "label_drift": "the model's labels are distributed otherwise than in the reference",
    "score_drift": "the model's scores are distributed otherwise than in the reference",
    "lengths": "texts much longer or shorter than any in the reference",
    "injection": "texts that read like attempts to override a prompt",
    "encoded_payload": "texts with encoded or invisible passages",
    "clients_full": "more clients at once than are watched one by one",
}
"""Every kind of alert, and what it means."""

Severity = Literal["low", "medium", "high"]

_HIGH = ("boundary_walk", "entity_jump", "near_duplicates")
_LOW = ("lengths", "clients_full")


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that the monitor noticed.

    Attributes:
        kind: one of `KINDS`.
        time: seconds since 1970, from the observation that raised it.
        client: keyed hash of the client, 16 hexadecimal digits; None where the alert is about all clients, or about a
            bucket that several share.
        model: digest of the model that it is about, None where it is about none.
        evidence: counts, scores and the thresholds they crossed, by name.
        name: of the client as the service knows it, never shown: the audit log hashes it with a key of its own.
    """

    kind: str
    time: float
    client: str | None
    model: str | None
    evidence: Mapping[str, float]
    name: str | None = field(default=None, repr=False, compare=False)

    @property
    def severity(self) -> Severity:
        """How bad, at first sight."""
        return "high" if self.kind in _HIGH else "low" if self.kind in _LOW else "medium"

    @property
    def title(self) -> str:
        """What it means, in words."""
        return KINDS[self.kind]

    def fields(self) -> dict[str, object]:
        """As a JSON object: what audit record, log line and webhook carry."""
        return {
            "kind": self.kind,
            "severity": self.severity,
            "time": self.time,
            "client": self.client,
            "model": self.model,
            "evidence": dict(self.evidence),
        }
