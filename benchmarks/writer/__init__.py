"""A small model that writes text, trained on public texts, and what becomes of it when its weights are rounded."""
