"""Figures of monitoring: cost, false alarms on a real trace, attacks found."""
