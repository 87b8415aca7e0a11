"""Trio that knows nothing of trading."""
