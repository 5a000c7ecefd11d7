"""Recipes of what ships with the package, re-runnable."""
