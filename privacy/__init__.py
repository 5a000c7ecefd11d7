"""Redaction, audit and sealing. Knows texts, bytes and paths; never imports the runtime."""
