"""Bundles in: uploads become releases."""
