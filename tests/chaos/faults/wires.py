"""Each of three wires is reset, silent, slow, or cut in the middle of a message."""

import random
from collections.abc import Callable, Iterator, Sequence

from tests.chaos.fault import Missed, Strike, fault
from tests.chaos.stage import Stage
from tests.proxy import Proxy, Way

_WAYS: tuple[Way, Way] = ("out", "back")
_WIRES: dict[str, Callable[[Stage], Sequence[Proxy]]] = {
    "relay_to_kafka": lambda stage: stage.relay_wire.proxies,
    "sink_to_kafka": lambda stage: stage.sink_wire.proxies,
    "sink_to_postgres": lambda stage: [stage.postgres_wire],
}
_TOUCHES = {
    "relay_to_kafka": "relay-wire",
    "sink_to_kafka": "sink-wire",
    "sink_to_postgres": "postgres-wire",
}


def _reset(proxy: Proxy, _: random.Random) -> None:
    proxy.reset()


def _silent(proxy: Proxy, _: random.Random) -> None:
    proxy.silence()


def _slow(proxy: Proxy, chance: random.Random) -> None:
    proxy.delay_s, proxy.bytes_per_s = chance.uniform(0.01, 0.15), 100_000


def _cut(proxy: Proxy, chance: random.Random) -> None:
    for way in _WAYS:
        proxy.cut(way, chance.randrange(1, 5_000))


def _of(wire: str, break_it: Callable[[Proxy, random.Random], None]) -> Strike:
    def strike(stage: Stage, chance: random.Random) -> Iterator[None]:
        proxies = _WIRES[wire](stage)
        for proxy in proxies:
            break_it(proxy, chance)
        stage.burst(chance, 150)
        yield
        reached = break_it is not _cut or any(proxy.is_cut for proxy in proxies)
        for proxy in proxies:
            proxy.heal()
        if not reached:
            raise Missed

    strike.__name__ = f"{wire}{break_it.__name__}"
    return strike


for _wire, _touched in _TOUCHES.items():
    fault(f"{_touched} kafka")(_of(_wire, _reset))
    fault(f"{_touched} kafka", 1.5, 3.5)(_of(_wire, _silent))
    fault(f"{_touched} kafka", 1, 2)(_of(_wire, _slow))
    fault(f"{_touched} kafka", 1, 2)(_of(_wire, _cut))


@fault("sink-wire kafka sinks", 1, 2)
def sink_to_kafka_corrupt(stage: Stage, chance: random.Random) -> Iterator[None]:
    """A bit flips in what is fetched: to end loudly is right then."""
    for sink in stage.sinks:
        sink.pardoned = "CRC32"
    for proxy in stage.sink_wire.proxies:
        proxy.spoil(1)
    stage.burst(chance, 150)
    yield
    spoiled = any(not proxy.unspoiled for proxy in stage.sink_wire.proxies)
    for proxy in stage.sink_wire.proxies:
        proxy.heal()
    if not spoiled:
        raise Missed
