"""Training data and training of the built-in taggers."""
