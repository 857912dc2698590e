"""Parts of the benchmark of churn; `benchmarks/churn.py` is the way in."""
