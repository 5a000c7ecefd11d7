"""Figures that Cloister claims, each printed by one file here. `make bench` runs them all."""
