"""A flow as a table for people."""

from collections.abc import Iterator, Mapping
from typing import Final

from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from session_relay.status.attention import LATE_S, notices
from session_relay.status.figures import BackfillFigures, Flow, RelayFigures, SinkFigures
from session_relay.status.sidecars import Told

_MINUTE_S: Final = 60
_HOUR_S: Final = 3_600
_KIB: Final = 1_024
Row = tuple[str, str, bool]
"""Name, what it is, and whether that is well."""


def shown(flow: Flow) -> Group:
    """The stages, the processes, and what needs a person."""
    when = f"{flow.at:%Y-%m-%d %H:%M:%S} UTC, rates over {flow.over_s:.1f} s"
    parts: list[Table | Text] = [Text.from_markup(f"[bold]Session Relay[/]  {when}"), _stages(flow)]
    parts.append(_processes(flow.roles))
    parts += [
        Text.assemble(("! ", "bold red"), f"{notice.sentence}: {notice.page}") for notice in notices(flow)
    ]
    return Group(*parts)


def _stages(flow: Flow) -> Table:
    table = Table(show_header=False, title_justify="left")
    table.add_column(style="bold", no_wrap=True, min_width=8)
    table.add_column(no_wrap=True, min_width=21)
    table.add_column(overflow="fold", min_width=34)
    rows = {
        "relay": [] if flow.relay is None else list(_relay(flow.relay)),
        "sink": [] if flow.sink is None else list(_sink(flow.sink)),
        "backfill": [] if flow.backfill is None else list(_backfill(flow.backfill)),
    }
    for stage, figures in rows.items():
        for number, (name, value, well) in enumerate(figures):
            style = "" if well else "bold red"
            table.add_row(
                "" if number else stage, name, Text(value, style), end_section=number == len(figures) - 1
            )
    return table


def _processes(roles: tuple[Told, ...]) -> Table:
    table = Table("address", "role", "version", "state")
    for told in roles:
        table.add_row(escape(told.url), told.role or "", told.version, _state(told))
    return table


def _state(told: Told) -> Text:
    if told.problem is not None:
        return Text(told.problem, "bold red")
    weak = "; ".join(f"{name}: {problem}" for name, problem in told.weak.items())
    return Text("ready") if not weak else Text(f"ready; {weak}", "yellow")


def _relay(relay: RelayFigures) -> Iterator[Row]:
    yield "accepted", _rate(relay.accepted_per_s), True
    yield "acknowledged", _rate(relay.acknowledged_per_s), True
    yield "refused", _rate(relay.refused_per_s), True
    yield "since their start", f"{relay.accepted:,} accepted", True
    yield "Kafka", _kafka(relay), relay.kafka_up
    yield "spool", _spool(relay), not relay.spool_events
    if relay.spool_set_aside_events:
        yield "set aside", f"{relay.spool_set_aside_events:,} events", False


def _kafka(relay: RelayFigures) -> str:
    waiting = f", {relay.queue_messages:,} records wait" if relay.queue_messages else ""
    return ("connected" if relay.kafka_up else "not connected") + waiting


def _spool(relay: RelayFigures) -> str:
    room = "" if relay.spool_room_bytes is None else f", room for {_size(relay.spool_room_bytes)}"
    if not relay.spool_events:
        return f"empty{room}"
    held = f"{relay.spool_events:,} events, {_size(relay.spool_bytes)}"
    return f"{held}, the oldest {_age(relay.spool_oldest_s)}{room}"


def _sink(sink: SinkFigures) -> Iterator[Row]:
    yield "read and committed", _rate(sink.records_per_s), True
    yield "written", _rate(sink.written_per_s), True
    yield "since their start", _counts(sink.outcomes), True
    yield "lag", f"{sink.lag_records:,} records", True
    yield "oldest unwritten", _age(sink.oldest_unwritten_s), sink.oldest_unwritten_s <= LATE_S
    p95_s = sink.committed_p95_s
    yield "received to committed", "-" if p95_s is None else f"p95 {_age(p95_s)}", (p95_s or 0) <= LATE_S
    for name, state in sink.breakers.items():
        yield f"breaker {name}", state, state == "closed"
    yield "dead letters open", f"{sink.dead_letters_open:,}", not sink.dead_letters_open


def _backfill(backfill: BackfillFigures) -> Iterator[Row]:
    yield "published", _rate(backfill.published_per_s), True
    yield "since its start", f"{backfill.published:,} published", True
    yield "users left", f"{backfill.users_left:,}", True
    for name, state in backfill.breakers.items():
        yield f"breaker {name}", state, state == "closed"


def _counts(outcomes: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in outcomes.items() if count) or "none"


def _rate(per_s: float) -> str:
    return f"{per_s:,.1f} a second"


def _age(age_s: float) -> str:
    if age_s < 1:
        return f"{age_s * 1_000:.0f} ms"
    if age_s < 2 * _MINUTE_S:
        return f"{age_s:.1f} s"
    return f"{age_s / _MINUTE_S:.0f} min" if age_s < 2 * _HOUR_S else f"{age_s / _HOUR_S:.1f} h"


def _size(size_bytes: float) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if size_bytes < _KIB:
            return f"{size_bytes:,.0f} {unit}"
        size_bytes /= _KIB
    return f"{size_bytes:,.1f} GiB"
