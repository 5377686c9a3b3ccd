"""The sink beside Bento as a table."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from benchmarks import results
from benchmarks.bento.program import VERSION

FILE: Final = Path(__file__).with_name("sink_results.json")
_HEAD: Final = ("what", "rows a second", "… from its first commit on", "first commit, s", "CPU, s", "MiB")
_NAMES: Final = {"sink": "Session Relay's sink", "bento": f"Bento {VERSION}, `sink.yaml`"}


def as_table(told: Mapping[str, Any]) -> Table:
    """For a terminal."""
    table = Table(*_HEAD, title=results.title(told), caption=_beside(told))
    for row in _rows(told):
        table.add_row(*row)
    return table


def as_markdown(told: Mapping[str, Any]) -> str:
    """For the page beside this folder."""
    lines = [_HEAD, ("---",) * len(_HEAD), *_rows(told)]
    last = f"{results.title(told)}; load before: {told['machine']['load_1m_before']}. {_beside(told)}"
    return "\n".join([*("| " + " | ".join(line) + " |" for line in lines), "", last])


def _rows(told: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for key, name in _NAMES.items():
        found = told[key]
        yield (
            name,
            _whole(found["rate"]),
            _whole(found["rate_from_first_commit"]),
            f"{found['first_commit_s']['median']:.2f}",
            f"{found['cpu_s']['median']:.2f}",
            f"{found['peak_mib']['median']:g}",
        )


def _whole(rate: Mapping[str, int]) -> str:
    return f"{rate['median']:,} ({rate['min']:,} to {rate['max']:,})"


def _beside(told: Mapping[str, Any]) -> str:
    (low, high), chosen = told["ratio_range"], told["settings"]
    tried = [f"{one['batch']:,} / {one['in_flight']}: {one['rate']:,}" for one in told["tried"]]
    return (
        f"{told['events']:,} events; sink to Bento {told['ratio']:.2f} ({low:.2f} to {high:.2f}). "
        f"Bento with batches of {chosen['batch']:,} and {chosen['in_flight']} in flight, the fastest of "
        f"those tried (batch / in flight: rows a second, the better of two): {'; '.join(tried)}."
    )
