"""Recipes that make the models Cloister ships; run from the repository's root, not part of the wheel."""
