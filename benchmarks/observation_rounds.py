"""What being observed costs: sink and relay with their sidecars, scraped, in turn with none at all."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count as numbers
from secrets import token_urlsafe
from statistics import median
from threading import Event, Thread
from typing import Any, Final

import httpx
from rich.console import Console
from rich.progress import Progress

from benchmarks import limit, wrk
from benchmarks.figures import Series
from benchmarks.filling import fill
from benchmarks.relay import Server, free_port, relay
from benchmarks.rounds import Figures, Steps, take_turns
from benchmarks.shapes import NARROW
from benchmarks.sink import run_sink
from benchmarks.stand import Place, Stand
from session_relay.simulate.sender import Credentials

ROUNDS: Final = 7
PER_EVENTS: Final = 100_000
_SCRAPE_S: Final = 1.0
"""Between two scrapes, and two samples of gauges: Prometheus asks every 15 s, so this is the dear side."""
_OFF: Final = {"METRICS__ENABLED": "false"}
_WARM_UP_EVENTS: Final = 2_000
_groups = numbers(1)


def measure_observation(stand: Stand, console: Console, *, rounds: int, count: int) -> dict[str, Any]:
    """Measure sink and relay with a sidecar and without.

    Raises:
        Unavailable: wrk is not installed.
        RelayError: A table does not hold what it should.
    """
    say = partial(console.print, highlight=False)
    few = min(_WARM_UP_EVENTS, count)
    _sink(stand, _filled(stand, console, "observed_warm_up", few), few, observed=False)
    place = _filled(stand, console, "observed", count)
    with console.status("measuring what observation costs"):
        sinks = take_turns(
            {
                "sink, observed": lambda: _sink(stand, place, count, observed=True),
                "sink, alone": lambda: _sink(stand, place, count, observed=False),
            },
            rounds,
            say,
        )
        return told_of_observation(sinks | _relays(stand, rounds, say))


def told_of_observation(told: dict[str, dict[str, Series]]) -> dict[str, Any]:
    """The part of the results: CPU seconds per 100,000 events, and the median of the pairs' ratios."""
    return {"observation": {role: _compared(told, role) for role in ("sink", "relay")}}


def _compared(told: dict[str, dict[str, Series]], role: str) -> dict[str, Any]:
    observed, alone = told[f"{role}, observed"]["cpu_s"], told[f"{role}, alone"]["cpu_s"]
    ratios = [one / other for one, other in zip(observed.values, alone.values, strict=True)]
    return {
        "cpu_s": observed.told(3),
        "alone_cpu_s": alone.told(3),
        "ratio": round(median(ratios), 3),
        "ratio_range": (round(min(ratios), 3), round(max(ratios), 3)),
    }


def _filled(stand: Stand, console: Console, name: str, count: int) -> Place:
    place = stand.place(name)
    limit.prepare(place.database_url)
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task(f"filling the topic: {count:,} of {name}", total=count)
        fill(place.kafka, NARROW.events(), count, lambda done: progress.update(task, completed=done))
    return place


def _sink(stand: Stand, place: Place, count: int, *, observed: bool) -> Figures:
    """One run from the start of the process, which is in both sides alike."""
    limit.empty(place.database_url)
    group, port = f"observed-{next(_groups)}", free_port()
    settings = _on(port, "SINK") if observed else _OFF
    with _scraped(port if observed else None):
        run = run_sink(stand, place, count, group, settings=settings)
    return {"rate": run.rows / run.seconds, "cpu_s": run.cpu_s / run.rows * PER_EVENTS}


def _relays(stand: Stand, rounds: int, say: Callable[[str], object]) -> dict[str, dict[str, Series]]:
    credentials = Credentials(api_key=token_urlsafe(24), signing_key=token_urlsafe(32))
    script = stand.directory / "deliveries.lua"
    wrk.write_script(script, credentials)
    place, port = stand.place("observed_relay"), free_port()
    with (
        relay(stand, place, credentials, script, **_on(port, "RELAY"), **_own_spool("observed")) as observed,
        relay(stand, place, credentials, script, **_OFF, **_own_spool("alone")) as alone,
        _scraped(port),
    ):
        for server in (observed, alone):
            server.warm_up()
        steps: Steps = {
            "relay, observed": lambda: _per_events(observed),
            "relay, alone": lambda: _per_events(alone),
        }
        return take_turns(steps, rounds, say)


def _per_events(server: Server) -> Figures:
    told = server.measure()
    return {"rate": told["rate"], "cpu_s": told["cpu_cores"] / told["rate"] * PER_EVENTS}


def _on(port: int, role: str) -> dict[str, str]:
    return {
        "METRICS__ENABLED": "true",
        "METRICS__INTERVAL_S": str(_SCRAPE_S),
        f"METRICS__{role}_PORT": str(port),
    }


def _own_spool(name: str) -> dict[str, str]:
    """Two relays, two directories: neither looks into the other's files."""
    return {"RELAY__SPOOL_DIR": f"spool-{name}"}


@contextmanager
def _scraped(port: int | None) -> Iterator[None]:
    """Ask for the metrics again and again until the block ends, in another process' time."""
    if port is None:
        yield
        return
    over = Event()

    def scrape() -> None:
        with httpx.Client(timeout=5.0, trust_env=False) as client:
            while not over.wait(_SCRAPE_S):
                try:
                    client.get(f"http://127.0.0.1:{port}/metrics")
                except httpx.TransportError:
                    continue  # it is not there yet, or not any more

    thread = Thread(target=scrape, name="scraper", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
