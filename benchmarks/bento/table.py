"""The comparison as a table."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from benchmarks import results
from benchmarks.bento.program import VERSION

FILE: Final = Path(__file__).with_name("results.json")
_HEAD: Final = ("what", "answers a second", "p50 / p99 ms", "cores", "MiB")
_NAMES: Final = {
    "relay": "Session Relay",
    "alike": f"Bento {VERSION}, `alike.yaml`",
    "ordinary": f"Bento {VERSION}, `ordinary.yaml`",
}


def as_table(told: Mapping[str, Any]) -> Table:
    """For a terminal."""
    table = Table(*_HEAD, title=results.title(told))
    for row in _rows(told):
        table.add_row(*row)
    return table


def as_markdown(told: Mapping[str, Any]) -> str:
    """For the page beside this folder."""
    lines = [_HEAD, ("---",) * len(_HEAD), *_rows(told)]
    load = told["machine"]["load_1m_before"]
    last = f"{results.title(told)}; load before: {load}."
    return "\n".join([*("| " + " | ".join(line) + " |" for line in lines), "", last])


def _rows(told: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for key, name in _NAMES.items():
        found = told[key]
        rate, p50, p99 = found["rate"], found["p50_ms"], found["p99_ms"]
        yield (
            name,
            f"{rate['median']:,} ({rate['min']:,} to {rate['max']:,})",
            f"{p50['median']:g} / {p99['median']:g} (to {p99['max']:g})",
            f"{found['cpu_cores']['median']:g}",
            f"{found['peak_mib']['median']:g}",
        )
