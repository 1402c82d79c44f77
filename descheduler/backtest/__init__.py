"""Clusters that are generated: the embedded example and seeded ones of any size, with history to match."""
