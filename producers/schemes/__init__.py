"""Proof of origin: one file per verification scheme, on the raw bytes, in constant time."""
