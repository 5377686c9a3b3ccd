"""Ports for programs that can't be told to take one themselves, or that come again at the same place."""

import random

from config.embedded.state import is_free


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has now."""
    return free_ports(1)


def free_ports(count: int) -> int:
    """The first of so many in a row, above what the system gives to clients and services of ours take."""
    while True:
        first = random.randrange(61_000, 65_000)
        if all(is_free(first + more) for more in range(count)):
            return first
