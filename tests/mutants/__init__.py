"""Defects that somebody might bring in, and whether the tests would notice."""
