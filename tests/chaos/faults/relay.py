"""The relay dies, stops, ends, and finds its disk full."""

import random
import signal
from collections.abc import Iterator
from contextlib import suppress

from tests.chaos.fault import fault
from tests.chaos.stage import Stage

_PIECE_BYTES = 64 * 1024


@fault("relay")
def relay_killed(stage: Stage, _: random.Random) -> Iterator[None]:
    stage.relay.kill()
    yield


@fault("relay", 1, 2.5)
def relay_frozen(stage: Stage, _: random.Random) -> Iterator[None]:
    stage.relay.signal(signal.SIGSTOP)
    yield
    stage.relay.signal(signal.SIGCONT)


@fault("relay")
def relay_terminated(stage: Stage, _: random.Random) -> Iterator[None]:
    stage.relay.terminate()
    yield


@fault("relay relay-wire kafka", 1.5, 2.5)
def spool_disk_full(stage: Stage, _: random.Random) -> Iterator[None]:
    """Kafka says nothing, and all that is left of the spool's disk is taken."""
    for proxy in stage.relay_wire.proxies:
        proxy.silence()
    filler = stage.spool_disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(_PIECE_BYTES)):
            pass
    yield
    filler.unlink()
    for proxy in stage.relay_wire.proxies:
        proxy.heal()
