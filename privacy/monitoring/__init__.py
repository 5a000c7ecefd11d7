"""Attacks and drift, noticed while a service runs: bounded memory, constant work per request, and no content.

`Reader` turns texts into signals (keyed sketches, weights, lengths); `Monitor` takes signals, counts and scores and
answers with alerts. Texts never reach the monitor, so none can be in an alert.
"""

from .alert import KINDS, Alert
from .drift import ks_critical, ks_distance, psi, psi_limit
from .monitor import Monitor, Observation, Outcome
from .reference import Reference
from .signals import Reader, Signals, TextSignals
from .thresholds import Thresholds

__all__ = [
    "KINDS",
    "Alert",
    "Monitor",
    "Observation",
    "Outcome",
    "Reader",
    "Reference",
    "Signals",
    "TextSignals",
    "Thresholds",
    "ks_critical",
    "ks_distance",
    "psi",
    "psi_limit",
]
