"""The whole result: what was measured, with what, on what; as a file and as a table."""

import json
import os
import platform
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import psutil
from rich.table import Table

from benchmarks.figures import CEILINGS, FLOORS, OBSERVED

FILE: Final = Path(__file__).with_name("results.json")
_LIBRARIES: Final = ("confluent-kafka", "fastavro", "granian", "msgspec", "psycopg", "uvloop")
_CONDITIONS: Final = {
    "two_processes": "two processes",
    "half_updates": "every second event an update",
    "tenth_repeated": "every tenth event twice",
    "batch_1000": "batches of 1,000",
    "batch_10000": "batches of 10,000",
}
_AROUND: Final = frozenset({"valid", "invalid", "date", "rounds", "machine", "versions"})
Row = tuple[str, str, str, str, str]
HEAD: Final[Row] = ("what, a second", "measured", "its limit", "ratio", "aim")


def around(services: Mapping[str, str], rounds: int, load_before: float) -> dict[str, Any]:
    """When, where and with what; nothing in it names the machine."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "rounds": rounds,
        "machine": {
            "cores": len(os.sched_getaffinity(0)),
            "memory_gib": round(psutil.virtual_memory().total / 1024**3),
            "load_1m_before": round(load_before, 2),
        },
        "versions": {
            "python": platform.python_version(),
            **services,
            **{name: version(name) for name in _LIBRARIES},
        },
    }


def write(results: Mapping[str, Any], path: Path, alone: str | None = None) -> None:
    """Write the results, readable and comparable line by line.

    Args:
        results: All that was measured.
        path: Where to.
        alone: The part that was measured alone: what the file has of the others stays, with its date.
    """
    if alone is not None and path.exists():
        results = _merged(json.loads(path.read_text("utf-8")), results, alone)
    path.write_text(json.dumps(results, indent=2) + "\n", "utf-8")


def _merged(former: dict[str, Any], results: Mapping[str, Any], alone: str) -> dict[str, Any]:
    of_others = [problem for problem in former["invalid"] if not problem.startswith(f"{alone}: ")]
    invalid = [*of_others, *results["invalid"]]
    parts = {name: results[name] for name in results.keys() - _AROUND}
    when = {name: results[name] for name in ("date", "rounds", "machine")}
    measured_alone = former.get("alone", {}) | {alone: when}
    return former | parts | {"valid": not invalid, "invalid": invalid, "alone": measured_alone}


def as_line(results: Mapping[str, Any]) -> str:
    """The results for programs, in one line."""
    return json.dumps(results)


def rows(results: Mapping[str, Any]) -> Iterator[Row]:
    """The table's rows, of what was measured."""
    if sink := results.get("sink"):
        narrow, night = sink["narrow"], sink["night"]
        name = f"sink, narrow rows ({narrow['events']:,})"
        yield _row(name, narrow["rate"], narrow["limit_rate"], sink, "sink.ratio")
        yield _row(
            "… against a plain statement", narrow["rate"], narrow["plain_rate"], sink, "sink.ratio_plain"
        )
        name = f"sink, whole nights ({night['events']:,})"
        yield _row(name, night["rate"], night["limit_rate"], sink, "sink.ratio_night")
    if conditions := results.get("conditions"):
        yield from _condition_rows(conditions)
    if relay := results.get("relay"):
        yield _row("relay, signed webhooks", relay["rate"], relay["limit"]["rate"], relay, "relay.ratio")
        yield ("… latency, p50 / p99", _latency(relay), _latency(relay["limit"]), "", "")
    if spool := results.get("spool"):
        yield ("relay while Kafka is away, 202", _rate(spool["rate"]), "", "", "")
        yield ("… latency, p50 / p99", _latency(spool), "", "", "")
        yield ("spool, drained when Kafka is back", _rate(spool["drain_rate"]), "", "", "")
        if recovery := spool.get("recovery"):
            outage_s, empty_s = recovery["outage_s"], recovery["seconds_to_empty"]
            name = f"… at half the load, after {outage_s['median']:.0f} s away: seconds until it is empty"
            yield (name, f"{empty_s['median']:g} ({empty_s['min']:g} to {empty_s['max']:g})", "", "", "")
            name = "… latency while away, p99 / the first's longest"
            slow = f"{recovery['p99_ms']['median']:g} / {recovery['first_ms']['median']:g} ms"
            yield (name, slow, "", "", f"at most {CEILINGS['p99_ms']} / {CEILINGS['first_ms']:,} ms")
    if rebuild := results.get("rebuild"):
        name = f"rebuild, against the sink ({rebuild['events']:,})"
        yield _row(name, rebuild["rate"], rebuild["sink_rate"], rebuild, "rebuild.ratio")
    if replay := results.get("replay"):
        yield _row("replay to a topic", replay["rate"], replay["limit_rate"], replay, "replay.ratio")
    for role, told in results.get("observation", {}).items():
        low, high = told["ratio_range"]
        ratio = f"{told['ratio']:.3f} ({low:.3f} to {high:.3f})"
        name = f"{role}, observed and not: CPU seconds per 100,000 events"
        yield (name, _seconds(told["cpu_s"]), _seconds(told["alone_cpu_s"]), ratio, f"at most {OBSERVED}")


def _condition_rows(conditions: Mapping[str, Any]) -> Iterator[Row]:
    """Each against one process that writes new sessions into an empty table."""
    base = conditions["one"]["rate"]
    for name, what in _CONDITIONS.items():
        rate = conditions[name]["rate"]
        share = f"{rate['median'] / base['median']:.2f}"
        yield (f"sink, {what} ({conditions['events']:,})", _rate(rate), _rate(base), share, "")
    large, latency = conditions["large_table"], conditions["latency"]
    what, share = f"sink, {large['rows_before']:,} other rows in the table", large["rate"] / base["median"]
    yield (what, f"{large['rate']:,.0f}", _rate(base), f"{share:.2f}", "")
    two, one = (conditions[name]["cpu_s_per_100k"]["median"] for name in ("two_processes", "one"))
    yield (
        "… CPU seconds for 100,000 events, two processes and one",
        f"{two:g}",
        f"{one:g}",
        f"{two / one:.2f}",
        "",
    )
    spent = {
        name: conditions["one"][f"{name}_s_per_100k"]["median"]
        for name in ("decode", "copy", "apply", "commit")
    }
    spent["apply"] -= spent["copy"]  # which is in it
    told = " / ".join(f"{seconds:.2f}" for seconds in spent.values())
    yield (
        "… seconds for 100,000 events in decode / COPY / fence, upsert, offsets / COMMIT",
        told,
        "",
        "",
        "",
    )
    told = f"{latency['p50_ms']:g} / {latency['p99_ms']:g} ms"
    yield ("acknowledged to COMMIT at 100 a second, p50 / p99", told, "", "", "")


def as_table(results: Mapping[str, Any]) -> Table:
    """The table for a terminal."""
    table = Table(*HEAD, title=title(results))
    for row in rows(results):
        table.add_row(*row)
    return table


def as_markdown(results: Mapping[str, Any]) -> str:
    """The table for the README."""
    lines = [HEAD, ("---",) * len(HEAD), *rows(results)]
    return "\n".join([*("| " + " | ".join(line) + " |" for line in lines), "", f"{title(results)}."])


def title(results: Mapping[str, Any]) -> str:
    """Date, machine and rounds in a line."""
    machine, rounds = results["machine"], results["rounds"]
    share = "one round" if rounds == 1 else f"median (min to max) of {rounds} rounds"
    alone = "".join(
        f"; {part} measured alone, {when['date']}, {when['rounds']} rounds"
        for part, when in sorted(results.get("alone", {}).items())
    )
    size = f"{machine['cores']} cores and {machine['memory_gib']} GiB for everything"
    return f"{results['date']}, {size}, {share}{alone}"


def _row(
    what: str, rate: Mapping[str, float], limit: Mapping[str, float], part: Mapping[str, Any], ratio: str
) -> Row:
    name = ratio.partition(".")[2]
    low, high = part[f"{name}_range"]
    floor = f"at least {FLOORS[ratio]:g}" if ratio in FLOORS else ""
    return (what, _rate(rate), _rate(limit), f"{part[name]:.2f} ({low:.2f} to {high:.2f})", floor)


def _rate(told: Mapping[str, float]) -> str:
    return f"{told['median']:,} ({told['min']:,} to {told['max']:,})"


def _seconds(told: Mapping[str, float]) -> str:
    return f"{told['median']:.2f} ({told['min']:.2f} to {told['max']:.2f})"


def _latency(told: Mapping[str, Any]) -> str:
    return f"{told['p50_ms']['median']:g} / {told['p99_ms']['median']:g} ms"
