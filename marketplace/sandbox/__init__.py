"""Runs strangers' code behind two walls."""
