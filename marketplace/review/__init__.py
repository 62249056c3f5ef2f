"""Checks, the human queue and its verdicts."""
