"""Recipes of the built-in taggers."""
