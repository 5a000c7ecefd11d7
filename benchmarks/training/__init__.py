"""Benchmarks of fine-tuning and few-shot heads, on public data sets in a folder that an option names."""
