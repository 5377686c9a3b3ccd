"""Each fault that an alert is for, made in earnest and mended as its runbook says."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final, NamedTuple

import httpx
from confluent_kafka import OFFSET_END, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]

from schemas.codec import encode
from tests.deliveries import as_body, generic_session
from tests.events import made
from tests.eventually import PATIENCE_S, eventually
from tests.faults.relay.test_spool_set_aside import bound_records
from tests.freezing import freeze
from tests.kafka_wire import FETCH, KafkaWire
from tests.observe.hung_disk import hung_disk
from tests.observe.stage import SPOOL_BYTES, STORM_WINDOW, TOPIC, Stage

_BIG_BYTES: Final = 400_000
"""Of one delivery's attributes; the event has them twice, as it keeps what came too."""
_LATEST: Final = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # no types there
_MANY_RECORDS: Final = 15_000
_MORE_RECORDS: Final = 100
_MORE_EVERY_S: Final = 0.2
"""Together more a second than such a sink writes: the lag grows for as long as the fault lasts."""
_SLOW = """
CREATE OR REPLACE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
'BEGIN PERFORM pg_sleep(0.01); RETURN NEW; END';
CREATE OR REPLACE TRIGGER slow BEFORE INSERT ON sessions FOR EACH ROW EXECUTE FUNCTION slow()
"""

_READ: Final = f"SELECT sum(next_offset)::bigint FROM consumer_offsets WHERE topic = '{TOPIC}'"


class Fault(NamedTuple):
    """One fault, what fires while it lasts, and what only once it is mended, as the backlog comes."""

    told: str
    makes: Callable[[Stage], AbstractContextManager[None]]
    alerts: tuple[str, ...]
    afterwards: tuple[str, ...] = ()


@contextmanager
def relay_killed(stage: Stage) -> Iterator[None]:
    stage.kill("relay")
    yield
    stage.end("relay")
    stage.start("relay")


@contextmanager
def sink_killed(stage: Stage) -> Iterator[None]:
    stage.kill("sink")
    yield
    stage.end("sink")
    stage.start("sink")


@contextmanager
def fetches_lost(stage: Stage) -> Iterator[None]:
    """Everything else is answered, so the sink keeps its partitions and knows where their logs end."""
    with _sink_behind_a_wire(stage) as wire:
        for proxy in wire.proxies:
            proxy.swallowed = frozenset({FETCH})
        yield


@contextmanager
def sink_cut_off(stage: Stage) -> Iterator[None]:
    with _sink_behind_a_wire(stage) as wire:
        for proxy in wire.proxies:
            proxy.silence()
        yield


@contextmanager
def disk_hangs(stage: Stage) -> Iterator[None]:
    with hung_disk(stage.spool):
        yield


@contextmanager
def postgres_killed(stage: Stage) -> Iterator[None]:
    stage.services.stop("postgres", "kill")
    try:
        yield
    finally:
        stage.services.start("postgres")


@contextmanager
def kafka_frozen_until_the_spool_is_full(stage: Stage) -> Iterator[None]:
    broker = stage.services.pids["kafka-1"]
    freeze(broker)
    try:
        body = _big_delivery()
        with httpx.Client(timeout=30, trust_env=False) as client:
            for _ in range(SPOOL_BYTES // _BIG_BYTES):
                if client.post(f"{stage.relay_url}/webhooks/plain", content=body).status_code == 503:
                    break
        yield
    finally:
        os.kill(broker, signal.SIGCONT)


@contextmanager
def spooled_event_refused(stage: Stage) -> Iterator[None]:
    bound_records(stage.admin, TOPIC, 100_000)
    try:
        stage.services.stop("kafka-1", "kill")
        answer = httpx.post(
            f"{stage.relay_url}/webhooks/plain", content=_big_delivery(), timeout=30, trust_env=False
        )
        assert answer.status_code == 202, answer.text
    finally:
        stage.services.start("kafka-1")
    yield
    bound_records(stage.admin, TOPIC, 4 * 1024 * 1024)
    stage.end("relay")
    stage.put_spool_away()
    stage.start("relay")


@contextmanager
def log_deleted_before_it_was_read(stage: Stage) -> Iterator[None]:
    stage.end("sink")
    before = _log_ends(stage)
    eventually(lambda: sum(_log_ends(stage).values()) > sum(before.values()) + 100)
    parts = [TopicPartition(TOPIC, part, OFFSET_END) for part in before]
    for deleted in stage.admin.delete_records(parts).values():
        deleted.result(PATIENCE_S)
    stage.start("sink")
    yield


@contextmanager
def poison(stage: Stage) -> Iterator[None]:
    stage.poison(STORM_WINDOW * 2 // 5)
    yield
    _publish(stage, STORM_WINDOW * 3 // 2)
    stage.command("dead-letters", "discard", "--all", "--execute")


@contextmanager
def rows_written_slowly(stage: Stage) -> Iterator[None]:
    stage.query(_SLOW)
    try:
        _publish(stage, _MANY_RECORDS)
        with _publishing_on(stage):
            yield
    finally:
        stage.query("DROP TRIGGER slow ON sessions")


FAULTS: Final = (
    Fault(
        "Kafka is killed, and refuses what is spooled by its size", spooled_event_refused, ("SpoolSetAside",)
    ),
    Fault("the sink is killed", sink_killed, ("SinkGone",)),
    Fault("what the sink fetches is lost on the way", fetches_lost, ("PartitionStandsStill",)),
    Fault("the sink is cut off from Kafka, the relay is not", sink_cut_off, ("SinkStandsStill",)),
    Fault("the relay is killed", relay_killed, ("RelayGone", "SidecarGone")),
    Fault("the spool's disk hangs", disk_hangs, ("SamplesStale",)),
    Fault(
        "Postgres is killed",
        postgres_killed,
        ("BreakerOpen", "EventsUnwritten"),
        ("EventsBurnFast", "EventsBurnSlow"),
    ),
    Fault(
        "Kafka is frozen, and the spool fills",
        kafka_frozen_until_the_spool_is_full,
        ("SpoolHolding", "SpoolDiskFull", "DeliveriesBurnFast", "DeliveriesBurnSlow"),
    ),
    Fault("Kafka deletes records while the sink is away", log_deleted_before_it_was_read, ("LogGap",)),
    Fault("two of five records can't be read", poison, ("StormOfPoison", "DeadLettersGrowing")),
    Fault(
        "each row takes 10 ms to write, 15,000 come and 500 a second", rows_written_slowly, ("LagGrowing",)
    ),
)


def _big_delivery() -> bytes:
    return as_body(
        generic_session(attributes={str(one): f"{one:01000}" for one in range(_BIG_BYTES // 1_000)})
    )


def _publish(stage: Stage, count: int) -> None:
    """Good events straight into the log."""
    run, now_us = time.time_ns(), time.time_ns() // 1_000
    for number in range(count):
        event = made(session=f"{run}-{number}", user=f"u-{number % 100}", received_at=now_us)
        stage.producer.produce(TOPIC, encode(event), event.user_id.encode())
        stage.producer.poll(0)
    assert stage.producer.flush(30) == 0


@contextmanager
def _publishing_on(stage: Stage) -> Iterator[None]:
    """Good events all the time, until the block ends."""
    stop = threading.Event()

    def more() -> None:
        while not stop.wait(_MORE_EVERY_S):
            _publish(stage, _MORE_RECORDS)

    publishing = threading.Thread(target=more, daemon=True)
    publishing.start()
    try:
        yield
    finally:
        stop.set()
        publishing.join()


@contextmanager
def _sink_behind_a_wire(stage: Stage) -> Iterator[KafkaWire]:
    """Its way to Kafka, to be broken; mended at the end, when this very sink has to read what it missed."""
    with KafkaWire(stage.kafka) as wire:
        stage.end("sink")
        stage.start("sink", KAFKA__BOOTSTRAP_SERVERS=wire.bootstrap_servers)
        yield wire
        for proxy in wire.proxies:
            proxy.heal()
            proxy.reset()
        missed = sum(_log_ends(stage).values())
        eventually(lambda: stage.query(_READ) >= [(missed,)], within_s=90, every_s=0.5)
        stage.end("sink")
    stage.start("sink")


def _log_ends(stage: Stage) -> dict[int, int]:
    """The next offset of each partition."""
    parts = stage.admin.list_topics(TOPIC, timeout=PATIENCE_S).topics[TOPIC].partitions
    asked = stage.admin.list_offsets({TopicPartition(TOPIC, part): _LATEST for part in parts})
    return {at.partition: told.result(PATIENCE_S).offset for at, told in asked.items()}
