"""Replays, rebuilds and swaps that are killed at seeded moments, round by round: `make replay-kills`."""
