"""Ports for processes that are started again at the same place."""

import random

from config.embedded.state import is_free


def free_port() -> int:
    """One of 127.0.0.1 that nobody has now, below those that the system gives to clients."""
    return next(port for port in iter(lambda: random.randrange(20_000, 32_000), None) if is_free(port))
