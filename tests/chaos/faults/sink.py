"""A sink dies, stops, ends, is joined by another, and all that at its worst moments."""

import random
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
from confluent_kafka import ConsumerGroupTopicPartitions
from confluent_kafka.admin import AdminClient

from tests.chaos.fault import Missed, fault
from tests.chaos.stage import Stage, connected
from tests.own_places import QUIET
from tests.row_history import ADVANCED

IN_COPY = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'"
    " AND query LIKE 'COPY%'"
)
_COME_WITHIN_S = 6.0


@fault("sinks")
def sink_killed(stage: Stage, chance: random.Random) -> Iterator[None]:
    stage.burst(chance, 100)
    chance.choice(stage.sinks).kill()
    yield


@fault("sinks", 2.2, 3.5)
def sink_frozen(stage: Stage, chance: random.Random) -> Iterator[None]:
    """Longer than its session: the other one takes over what it wakes up with."""
    frozen = chance.choice(stage.sinks)
    stage.burst(chance, 100)
    frozen.signal(signal.SIGSTOP)
    yield
    frozen.signal(signal.SIGCONT)


@fault("sinks")
def sink_terminated(stage: Stage, chance: random.Random) -> Iterator[None]:
    stage.burst(chance, 100)
    chance.choice(stage.sinks).terminate()
    yield


@fault("guest", 1, 2.5)
def sink_joined(stage: Stage, chance: random.Random) -> Iterator[None]:
    """A third one comes under load, and goes in order or not."""
    guest = stage.join(chance)
    yield
    guest.kill(hold=True) if chance.random() < 0.5 else guest.terminate(hold=True)
    guest.look()


@fault("sinks postgres postgres-wire kafka sink-wire", 2.2, 3)
def sink_frozen_in_copy(stage: Stage, chance: random.Random) -> Iterator[None]:
    """In the middle of what it sends to Postgres; the other one takes over."""
    frozen, other = stage.sinks
    other.terminate(hold=True)
    stage.postgres_wire.bytes_per_s = 3_000
    try:
        stage.burst(chance, 300)
        with connected(stage.rig) as connection:
            caught = _within(lambda: connection.execute(IN_COPY).fetchone() is not None)
        frozen.signal(signal.SIGSTOP)
        stage.postgres_wire.mute()  # what it wrote waits in the kernel's buffers, and would go on arriving
    finally:
        stage.postgres_wire.bytes_per_s = None
        other.start()
    yield
    frozen.signal(signal.SIGCONT)
    stage.postgres_wire.heal()
    if not caught:
        raise Missed


@fault("sinks postgres postgres-wire kafka sink-wire")
def sinks_killed_after_commit(stage: Stage, chance: random.Random) -> Iterator[None]:
    """Between COMMIT in Postgres and the commit in Kafka: the moment is told by the table's own trigger."""
    with connected(stage.rig) as connection:
        connection.execute(f"LISTEN {ADVANCED}")
        stage.burst(chance, 100)
        told = next(connection.notifies(timeout=_COME_WITHIN_S, stop_after=1), None)
        for sink in stage.sinks:
            sink.signal(signal.SIGKILL)
        behind = told is not None and _kafka_is_behind(stage, connection)
    yield
    if not behind:
        raise Missed


def _kafka_is_behind(stage: Stage, connection: psycopg.Connection[tuple[Any, ...]]) -> bool:
    told = "SELECT partition, next_offset FROM consumer_offsets WHERE topic = %s"
    table = connection.execute(told, (stage.rig.topic,)).fetchall()
    committed = kafka_offsets(stage)
    return any(committed.get(partition, -1) != offset for partition, offset in table)


def kafka_offsets(stage: Stage) -> dict[int, int]:
    """What the group has committed to Kafka, by partition."""
    admin = AdminClient({"bootstrap.servers": stage.rig.kafka, **QUIET})
    group = stage.rig.topic
    asked = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group]
    found = asked.result(10).topic_partitions or []
    return {at.partition: at.offset for at in found if at.topic == stage.rig.topic}


def _within(condition: Callable[[], bool]) -> bool:
    """Whether it came true in time; a moment that does not come is no failure."""
    deadline_s = time.monotonic() + _COME_WITHIN_S
    while time.monotonic() < deadline_s:
        if condition():
            return True
    return False
