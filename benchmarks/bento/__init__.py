"""Bento as a webhook relay, beside ours: `python -m benchmarks.bento`."""
