"""How fast it is, as ratios to what the same machine could do at the very best."""
