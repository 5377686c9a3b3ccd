"""An outage under load: what senders wait for meanwhile, and how long the spool takes to empty afterwards."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

from benchmarks import wrk
from benchmarks.relay import Server
from benchmarks.rounds import Figures
from benchmarks.stand import Stand
from config.errors import Unavailable
from session_relay.simulate.sender import Credentials

_SHARE: Final = 0.5
"""Of the most that this relay took just before."""
_TURNING_S: Final = 4
_AWAY_S: Final = 6
_EMPTY_WITHIN_S: Final = 60
_LOOK_S: Final = 0.05


def measure_recovery(
    stand: Stand,
    server: Server,
    credentials: Credentials,
    frozen: Callable[[Stand], AbstractContextManager[None]],
    events: Callable[[], float],
) -> Figures:
    """Measure at half the relay's rate, evenly sent, through an outage of ten seconds and until it is over.

    Args:
        stand: Whose Kafka freezes.
        server: The relay.
        credentials: What deliveries are signed with.
        frozen: For the length of a block, Kafka is.
        events: How many events the spool holds.

    Returns:
        `max_rate`: the most just before. `rate`: half of it, which was sent. `rate_away`, `rate_after`:
        what was answered. `first_ms`: the longest that anybody waited in the first four seconds; `p99_ms`
        and `late_max_ms`: in the six after them. `backlog`: events in the spool as Kafka woke.
        `seconds_to_empty`: from there until it held none, under the same load, reconnecting included.

    Raises:
        Unavailable: It was not empty within a minute.
    """
    most = server.measure()["rate"]
    script = stand.directory / "paced.lua"
    wrk.write_script(script, credentials, most * _SHARE)
    server.send(script, _TURNING_S)
    with frozen(stand):
        begun_s = time.perf_counter()
        first = server.send(script, _TURNING_S)
        later = server.send(script, _AWAY_S)
        backlog, outage_s = events(), time.perf_counter() - begun_s
    after: list[wrk.Load] = []
    begun_s = time.perf_counter()
    with server.under_load(script, _EMPTY_WITHIN_S + 30, after):
        while events():
            if time.perf_counter() - begun_s > _EMPTY_WITHIN_S:
                raise Unavailable(f"The spool was not emptied within {_EMPTY_WITHIN_S} s of half the load.")
            time.sleep(_LOOK_S)
        empty_s = time.perf_counter() - begun_s
    return {
        "max_rate": most,
        "rate": most * _SHARE,
        "rate_away": later.rate,
        "rate_after": after[0].rate,
        "outage_s": outage_s,
        "first_ms": first.max_ms,
        "p99_ms": later.p99_ms,
        "late_max_ms": later.max_ms,
        "backlog": backlog,
        "seconds_to_empty": empty_s,
    }
