"""One small adapter for each peer; they run in the peer's environment and import nothing of Cloister (but its own)."""
