"""A page of docs/operations for whoever is woken, followed word by word beside a live fault."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.docs.source_tree import ROOT
from tests.docs.test_operations import NAME, RUNBOOKS, signs
from tests.fake_asleep import KEY, FakeAsleep
from tests.integration.test_sink_metrics import get, samples
from tests.operator_shell import Shell
from tests.relay_process import INHERITED

BLOCK = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
BACKFILLED = 6
"""Sessions that `vendor_for_backfill` has."""


class Runbook:
    """One page: its commands are taken one by one, its signs are looked for one by one, and none is left.

    Args:
        name: Of the file.
    """

    def __init__(self, name: str) -> None:
        self._name, text = name, RUNBOOKS[name]
        self._commands: list[str] = [line for block in BLOCK.findall(text) for line in block.splitlines()]
        self._unseen = {
            (kind, told)
            for kind in ("log", "metric", "exit")
            for told in signs(text, kind)
            if NAME.fullmatch(told) or kind == "exit"
        }

    def command(self, begin: str, places: Mapping[str, str] = {}) -> str:
        """Take the next command that begins so, as the page has it.

        Args:
            begin: Its first words.
            places: What the page can't know, by what it has instead: a port, the name of a file, an offset.
        """
        line = next((line for line in self._commands if line.startswith(begin)), None)
        assert line is not None, f"{self._name} has no such command (any more): {begin}"
        self._commands.remove(line)
        for told, here in places.items():
            assert told in line, f"{self._name} no longer says {told}: {line}"
            line = line.replace(told, here)
        return line

    def log(self, event: str) -> str:
        """A log event that the page names, and that is looked for here."""
        return self._sign("log", event)

    def metric(self, name: str) -> str:
        """A metric, likewise."""
        return self._sign("metric", name)

    def exit(self, code: int) -> int:
        """An exit code, likewise."""
        return int(self._sign("exit", f"{code:d}"))

    def pass_over(self, *begins: str) -> None:
        """Take commands that the page has for another cause of the state, whose own drill runs them."""
        for begin in begins:
            self.command(begin)

    def assert_followed(self, elsewhere: Mapping[str, str] = {}) -> None:
        """See that no command is left, and no sign.

        Args:
            elsewhere: Signs that this drill does not bring about, by the test which shows them.
        """
        assert self._commands == []
        assert {told for _, told in self._unseen} == elsewhere.keys()
        for told, test in elsewhere.items():
            assert told in (ROOT / test).read_text("utf-8"), f"{test} does not show {told}"

    def _sign(self, kind: str, told: str) -> str:
        named = signs(RUNBOOKS[self._name], kind)
        assert told in named, f"{self._name} does not name {told} under {kind}"
        self._unseen.discard((kind, told))
        return told


def is_gone(url: str) -> bool:
    """Whether no sidecar answers there, so that Prometheus has none of its metrics."""
    try:
        get(f"{url}/metrics")
    except httpx.TransportError:
        return True
    return False


def sum_of(told: Mapping[tuple[str, ...], float], name: str) -> float:
    """One metric over all its labels."""
    return sum(value for labelled, value in told.items() if labelled[0] == name)


def lag(url: str) -> float:
    """Records that this sink has still to write."""
    return sum_of(samples(url), "sink_lag_records")


def relay_shell(directory: Path, kafka: str, topic: str, **settings: str) -> Shell:
    """An operator's shell beside a relay, in its working directory and with its settings."""
    ours = {"KAFKA__BOOTSTRAP_SERVERS": kafka, "KAFKA__EVENTS_TOPIC": topic, **settings}
    inherited = {name: text for name, text in os.environ.items() if name in INHERITED}
    return Shell({**inherited, "KAFKA__DEAD_LETTERS_TOPIC": f"{topic}.dlq", **ours}, directory)


@contextmanager
def vendor_for_backfill(directory: Path) -> Iterator[dict[str, str]]:
    """A vendor's API with the pages' days, and ids.txt; yields what a backfill has to be told."""
    vendor = FakeAsleep(users=2, nights=BACKFILLED // 2)
    (directory / "ids.txt").write_text("".join(f"{user}\n" for user in vendor.ids()))
    with vendor.serving():
        yield {
            "ASLEEP_API_KEY": KEY,
            "ASLEEP_BASE_URL": vendor.url,
            "BACKFILL__RATE_PER_S": "500",
            "METRICS__BACKFILL_PORT": "0",
            "NO_PROXY": "127.0.0.1",
        }
