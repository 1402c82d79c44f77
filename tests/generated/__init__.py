"""Clusters that are generated from a seed, with history to match: for benchmarks and for tests."""
