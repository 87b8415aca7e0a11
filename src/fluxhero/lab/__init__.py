"""Trials of strategies on the past: backtests, their numbers and their reports."""
