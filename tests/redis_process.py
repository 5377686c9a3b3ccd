"""A Redis of one test alone, to be frozen, killed and started again on the same port."""

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

from redis import Redis as Client

from config.embedded.redis import Redis
from tests.eventually import PATIENCE_S, eventually
from tests.freezing import freeze
from tests.ports import free_port


class RedisProcess:
    """One server on a free port."""

    def __init__(self, home: Path) -> None:
        self._server = Redis(home=home, port=free_port())
        self.url = self._server.url
        self.start()

    def start(self) -> None:
        """Start it, empty."""
        launch = self._server.launch()
        with launch.log.open("ab") as log:
            self._process = subprocess.Popen(launch.args, cwd=launch.cwd, stdout=log, stderr=log)
        eventually(self._server.is_ready)

    def freeze(self) -> None:
        """It keeps its connections, takes new ones, and says nothing."""
        freeze(self._process.pid)

    def wake(self) -> None:
        os.kill(self._process.pid, signal.SIGCONT)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def client(self) -> Client:
        return Client.from_url(self.url, socket_timeout=PATIENCE_S)

    def fields(self, key: str) -> dict[str, str]:
        """What each process tells of one key of a limit."""
        found: dict[Any, Any] = dict(self.client().hgetall(f"session-relay:limit:{key}"))
        return {name.decode(): text.decode() for name, text in found.items()}

    def told(self, key: str) -> list[int]:
        """How many requests each process tells of one key of a limit."""
        return [sum(map(int, text.partition(":")[2].split(","))) for text in self.fields(key).values()]
