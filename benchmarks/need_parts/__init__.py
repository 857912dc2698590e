"""The parts of the benchmark of financing need."""
