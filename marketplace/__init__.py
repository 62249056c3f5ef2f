"""Caravan: a self-hosted app store for LLaMA."""
