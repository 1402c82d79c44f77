"""Replays for people: the documents of a backtest and of a tuning, and their views as table and page."""
