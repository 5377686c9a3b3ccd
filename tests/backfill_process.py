"""A backfill as people run it: a process of its own, and what it said."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.eventually import PATIENCE_S, eventually
from tests.fake_asleep import KEY, FakeAsleep
from tests.relay_process import INHERITED, ROOT

DAYS = ("--from", "2026-09-01", "--to", "2026-12-31")


class BackfillProcess:
    """One backfill, begun with quick settings for tests."""

    def __init__(
        self, directory: Path, fake: FakeAsleep, kafka: str, topic: str, *arguments: str, **settings: str
    ) -> None:
        inherited = {name: text for name, text in os.environ.items() if name in INHERITED}
        path = os.pathsep.join([str(ROOT), *filter(None, [inherited.get("PYTHONPATH")])])
        self._log = directory / "backfill.log"
        self._files = [self._log.open("wb"), (directory / "backfill.out").open("wb")]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "session_relay.cli", "backfill", *DAYS, "--json", *arguments],
            env={
                **inherited,
                "PYTHONPATH": path,
                "ENVIRONMENT": "test",
                "ASLEEP_API_KEY": KEY,
                "ASLEEP_BASE_URL": fake.url,
                "KAFKA__BOOTSTRAP_SERVERS": kafka,
                "KAFKA__EVENTS_TOPIC": topic,
                "METRICS__BACKFILL_PORT": "0",
                "METRICS__INTERVAL_S": "0.2",
                "BACKFILL__RATE_PER_S": "500",
                "BACKFILL__WAIT_MAX_S": "0.2",
                "BACKFILL__PATIENCE_S": "20",
                "BREAKER__RESET_S": "0.3",
                **settings,
            },
            cwd=directory,
            stderr=self._files[0],
            stdout=self._files[1],
        )
        self._directory = directory

    def wait(self, within_s: float = 60.0) -> int:
        """Wait for its end and return its exit code."""
        try:
            return self.process.wait(within_s)
        finally:
            self.end()

    def end(self) -> None:
        """End it, whatever happened."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for file in self._files:
            file.close()

    def stop(self, signum: signal.Signals) -> int:
        self.process.send_signal(signum)
        return self.wait(PATIENCE_S)

    @property
    def log(self) -> str:
        return self._log.read_text("utf-8")

    @property
    def figures(self) -> dict[str, Any]:
        """The JSON object of its last line."""
        found: dict[str, Any] = json.loads((self._directory / "backfill.out").read_text().splitlines()[-1])
        return found

    def told(self, event: str) -> dict[str, Any]:
        """The first log line of a name, awaited."""

        def found() -> dict[str, Any] | None:
            lines = (json.loads(line) for line in self.log.splitlines() if line.startswith("{"))
            return next((line for line in lines if line["event"] == event), None)

        line = eventually(found)
        assert line is not None
        return line


def users_file(directory: Path, users: Iterable[str]) -> str:
    """Write ids, one a line; returns the file's name."""
    path = directory / "users.txt"
    path.write_text("".join(f"{user}\n" for user in users))
    return str(path)
