"""Measures the engine beside hand-written baselines; `make bench` prints the table and judges nothing."""
