"""GPU devices: one file for each source that tells of them, and what becomes of it all (`settling`)."""
