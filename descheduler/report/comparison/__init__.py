"""Plans side by side: what differs in findings, moves, refusals and restarts."""
