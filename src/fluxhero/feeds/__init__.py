"""Where market data comes from. `ports.Source` says what they owe us."""
