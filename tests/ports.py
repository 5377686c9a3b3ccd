"""A port of this machine that nobody has."""

import socket


def free_port() -> int:
    """A port that was free just now; for programs that can't be told to take one themselves."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
