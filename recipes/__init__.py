"""Recipes that make what the package ships: re-runnable, outside of the wheel."""
