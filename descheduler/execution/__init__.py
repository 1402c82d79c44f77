"""Carrying out a plan: the runner, its waves and intents, the recheck before each wave, and the executors."""
