"""What of a flow needs a person, and the page of docs/operations that says what to do."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from session_relay.status.figures import Flow, RelayFigures, SinkFigures

LATE_S: Final = 60.0
"""The objective: events are committed within a minute (config/prometheus/rules/objectives.yml)."""
STORM_SOON: Final = 0.25


class Notice(NamedTuple):
    """One sentence, and where to read on."""

    sentence: str
    page: str


def notices(flow: Flow) -> list[Notice]:
    """What is wrong, the stage nearest to the vendor first."""
    found = [] if flow.relay is None else [*_of_relay(flow.relay)]
    found += _of_processes(flow)
    return found if flow.sink is None else [*found, *_of_sink(flow.sink)]


def _of_processes(flow: Flow) -> Iterator[Notice]:
    """Of sinks that are away or can't work; what a relay can't do shows in its figures."""
    silent = [not one.answers for one in flow.roles]
    if flow.sink is None and any(silent) and not all(silent):  # alone, it may be of any role
        yield Notice("no sink answers", "docs/operations/lag-growing.md")
    elif any(one.role == "sink" and one.problem is not None for one in flow.roles):
        yield Notice("a sink is not ready", "docs/operations/lag-growing.md")


def _of_relay(relay: RelayFigures) -> Iterator[Notice]:
    if not relay.kafka_up:
        yield Notice("the relay is not connected to Kafka", "docs/operations/spool-holding.md")
    elif relay.spool_events:
        yield Notice("the spool holds events", "docs/operations/spool-holding.md")
    if relay.spool_set_aside_events:
        yield Notice("Kafka refused spooled events for good", "docs/operations/spool-set-aside.md")


def _of_sink(sink: SinkFigures) -> Iterator[Notice]:
    if sink.breakers.get("postgres", "closed") != "closed":
        yield Notice("the breaker around Postgres is open", "docs/operations/breaker-open.md")
    elif sink.oldest_unwritten_s > LATE_S:
        yield Notice("events wait for over a minute", "docs/operations/lag-growing.md")
    if sink.storm_ratio > STORM_SOON:
        yield Notice("many records can't be read", "docs/operations/storm-of-poison.md")
    if sink.gap_records:
        yield Notice("the log lacked records", "docs/operations/gap-in-the-log.md")
    if sink.dead_letters_open:
        yield Notice("dead letters are open", "docs/operations/dead-letters-growing.md")
