"""Parts of the benchmark of the score; `benchmarks/scoring.py` is the way in."""
