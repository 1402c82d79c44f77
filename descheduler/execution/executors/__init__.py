"""The executors: one file for each way to move a unit, found by entry point."""
