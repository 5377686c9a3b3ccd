"""The relay while Kafka is frozen, and how fast it empties its spool afterwards, idle and under load."""

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from secrets import token_urlsafe
from typing import Any, Final

import httpx
from rich.console import Console

from benchmarks import wrk
from benchmarks.figures import Series, problems_of_spool
from benchmarks.filling import count_records
from benchmarks.recovery import measure_recovery
from benchmarks.relay import Server, relay
from benchmarks.rounds import Figures, take_turns
from benchmarks.stand import Stand
from config.embedded.services import status
from config.errors import Unavailable
from session_relay.simulate.sender import Credentials

_BROKER: Final = "kafka-1"
_LOOK_S: Final = 0.02
_EMPTY_WITHIN_S: Final = 120.0


def measure_spool(stand: Stand, console: Console, *, rounds: int) -> dict[str, Any]:
    """Measure answers a second while Kafka is away, and events a second when it is back.

    Raises:
        Unavailable: wrk is not installed, or the spool was not emptied.
    """
    place = stand.place("spool")
    credentials = Credentials(api_key=token_urlsafe(24), signing_key=token_urlsafe(32))
    script = stand.directory / "spooled.lua"
    wrk.write_script(script, credentials)
    sampled_often = {"METRICS__INTERVAL_S": "0.05"}
    with (
        console.status("measuring the spool"),
        relay(stand, place, credentials, script, **sampled_often) as server,
    ):
        server.warm_up()
        url = _metrics_url(stand)
        steps = {
            "spool": partial(_measure, stand, server, url),
            "recovery": partial(measure_recovery, stand, server, credentials, _frozen, partial(_events, url)),
        }
        told = take_turns(steps, rounds, partial(console.print, highlight=False))
    problems = problems_of_spool(
        refused=server.refused,
        broken=server.broken,
        answers=server.answers,
        records=count_records(place.kafka),
    )
    return _told(told["spool"]) | {
        "recovery": _told(told["recovery"]),
        "answers": server.answers,
        "invalid": problems,
    }


def _told(figures: dict[str, Series]) -> dict[str, Any]:
    return {name: series.told(0 if "rate" in name else 2) for name, series in figures.items()}


def _measure(stand: Stand, server: Server, metrics_url: str) -> Figures:
    with _frozen(stand):
        server.warm_up()  # and the relay turns to the spool
        while _events(metrics_url) == 0:
            server.warm_up()
        figures = server.measure()
        spooled = _settled(metrics_url)
    begun_s = time.perf_counter()
    while _events(metrics_url):
        if time.perf_counter() - begun_s > _EMPTY_WITHIN_S:
            raise Unavailable(f"The spool was not emptied within {_EMPTY_WITHIN_S:g} s.")
        time.sleep(_LOOK_S)
    drain_s = time.perf_counter() - begun_s
    return {"rate": figures["rate"], "drain_rate": spooled / drain_s} | {
        name: figures[name] for name in ("p50_ms", "p99_ms", "cpu_cores", "peak_mib")
    }


@contextmanager
def _frozen(stand: Stand) -> Iterator[None]:
    found = status(stand.directory)
    if found is None:
        raise Unavailable("The benchmark's services have ended.")
    os.kill(found.pids[_BROKER], signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(found.pids[_BROKER], signal.SIGCONT)


def _metrics_url(stand: Stand) -> str:
    lines = (stand.directory / "relay.log").read_text("utf-8").splitlines()
    told = (json.loads(line) for line in reversed(lines) if "sidecar_started" in line)
    return f"http://127.0.0.1:{next(told)['port']}/metrics"


def _settled(metrics_url: str) -> float:
    """The count of spooled events once no more come: the gauge is a sample."""
    before, now = -1.0, _events(metrics_url)
    while now != before:
        time.sleep(_LOOK_S * 10)
        before, now = now, _events(metrics_url)
    return now


def _events(metrics_url: str) -> float:
    lines = httpx.get(metrics_url, trust_env=False).text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("relay_spool_events "))
