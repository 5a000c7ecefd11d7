"""The audit log: append-only, tamper-evident, readable by others' tools. FORMAT.md describes it for strangers."""

from .events import Alert, Event, Lifecycle, Request, Retention, Summary
from .log import AuditLog

__all__ = ["Alert", "AuditLog", "Event", "Lifecycle", "Request", "Retention", "Summary"]
