"""The history as pages for people and as JSON for programs: what was planned and done, and what came of it."""
