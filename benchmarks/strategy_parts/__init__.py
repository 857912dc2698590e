"""Parts of the benchmark of strategy; `benchmarks/strategy.py` is the way in."""
