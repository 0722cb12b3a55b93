"""The baselines: what a careful person would write by hand for this one shop, without the engine."""
