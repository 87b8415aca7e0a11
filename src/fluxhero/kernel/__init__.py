"""Every numeric rule, compiled once: indicators, regime, strategies, gates, sizing, fills."""
