"""Whether Cloister became slower: times as ratios to reference kernels of the same run, against a stored baseline."""
