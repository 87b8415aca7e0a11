"""Our side of the market: pure decisions, without clock, I/O or Trio."""
