"""The lab: Cloister beside the tools that people would pick instead, each in an environment of its own."""
