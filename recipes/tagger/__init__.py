"""The built-in taggers: data, training, figures."""
