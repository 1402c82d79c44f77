"""The domain: frozen types that every other package speaks in. Imports nothing of ours from above."""
