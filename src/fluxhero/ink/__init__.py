"""What the pages have in common: how they look, how they say numbers, how they draw. Pure, and light to import."""
