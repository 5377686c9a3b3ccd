"""Commands that play seeded rounds beside services of their own, and can play any one of them again."""

import argparse
import os
import random
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config.embedded.services import EmbeddedServices


def parser_of(command: str, rounds: int) -> argparse.ArgumentParser:
    """What all of them take; `command` is what a user types."""
    parser = argparse.ArgumentParser(prog=command)
    parser.add_argument("--seed", type=int, default=None, help="which rounds; any by default")
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--only", type=int, default=None, help="play this one round of the seed")
    return parser


def rounds_of(told: argparse.Namespace) -> tuple[int, range]:
    """The seed, and which of its rounds are to be played."""
    seed = random.SystemRandom().randrange(2**31) if told.seed is None else told.seed
    return seed, range(told.rounds) if told.only is None else range(told.only, told.only + 1)


@contextmanager
def stage() -> Iterator[tuple[Path, EmbeddedServices]]:
    """A place that is gone afterwards, also after a signal, and services in it."""
    for signum in (signal.SIGTERM, signal.SIGINT):  # in a shell's background the latter is ignored
        signal.signal(signum, lambda number, _: sys.exit(128 + number))
    os.environ.setdefault("SESSION_RELAY_CACHE", str(Path(".session-relay", "cache").absolute()))
    with tempfile.TemporaryDirectory(prefix="session-relay-rounds-") as name:
        place = Path(name)
        place.chmod(0o755)  # another user runs the database where root calls
        with EmbeddedServices.running(place / "services", sustained=True) as services:
            yield place, services
