"""The relay under load, in turn with its own listener that answers at once."""

from functools import partial
from secrets import token_urlsafe
from typing import Any

from rich.console import Console

from benchmarks import wrk
from benchmarks.figures import Series, problems_of_relay, ratio, ratio_range
from benchmarks.filling import count_records
from benchmarks.relay import no_content, relay
from benchmarks.rounds import Steps, take_turns
from benchmarks.stand import Stand
from session_relay.simulate.sender import Credentials


def measure_relay(stand: Stand, console: Console, *, rounds: int) -> dict[str, Any]:
    """Measure the relay against its limit.

    Raises:
        Unavailable: wrk is not installed.
    """
    place = stand.place("relay")
    credentials = Credentials(api_key=token_urlsafe(24), signing_key=token_urlsafe(32))
    script = stand.directory / "deliveries.lua"
    wrk.write_script(script, credentials)
    with (
        console.status("measuring the relay"),
        relay(stand, place, credentials, script) as real,
        no_content(stand, script) as at_once,
    ):
        for server in (at_once, real):
            server.warm_up()
        steps: Steps = {"204 at once": at_once.measure, "relay": real.measure}
        told = take_turns(steps, rounds, partial(console.print, highlight=False))
        records = count_records(place.kafka)
    problems = problems_of_relay(
        limit_cores=told["204 at once"]["cpu_cores"].median,
        refused=real.refused + at_once.refused,
        broken=real.broken + at_once.broken,
        answers=real.answers,
        records=records,
    )
    return told_of_relay(told) | {"answers": real.answers, "records": records, "invalid": problems}


def told_of_relay(told: dict[str, dict[str, Series]]) -> dict[str, Any]:
    """The relay's part of the results, but for what was counted over all rounds."""
    real, at_once = told["relay"], told["204 at once"]
    return {
        "ratio": ratio(real["rate"], at_once["rate"]),
        "ratio_range": ratio_range(real["rate"], at_once["rate"]),
        **_told(real),
        "limit": _told(at_once),
    }


def _told(figures: dict[str, Series]) -> dict[str, Any]:
    digits = {"rate": 0, "peak_mib": 0}
    return {name: series.told(digits.get(name, 2)) for name, series in figures.items()}
