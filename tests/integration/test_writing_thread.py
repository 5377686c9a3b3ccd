"""The writing thread while the circuit is open: one probe a period, whatever waits, and also for nobody."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from config import metrics
from config.clock import SystemClock
from consumers import statements
from consumers.batch import Batch, Span
from consumers.breaker import NAME, Circuit
from consumers.fates import KafkaUnavailable, PostgresUnavailable
from consumers.positions import Position, Positions
from consumers.topics import Topics
from consumers.writer import Dropped, Failed, Place, Placed, Result, Writer
from tests.applying import Applying
from tests.events import made
from tests.eventually import PATIENCE_S, eventually
from tests.reads import TOPIC_ID, read

pytestmark = pytest.mark.integration

NOBODY = "127.0.0.1:1"
NOWHERE = f"postgresql://nobody@{NOBODY}/nothing?connect_timeout=1"


@contextmanager
def writing(database_url: str, *, reset_s: float) -> Iterator[tuple[Writer, Circuit]]:
    """A writer that has placed two partitions; its circuit opens at the first failure."""
    wait_s = 1 if database_url == NOWHERE else PATIENCE_S
    with ConnectionPool(database_url, min_size=0, max_size=3, timeout=wait_s, reconnect_timeout=1) as pool:
        timeouts = statements.timeouts(statement_timeout_s=2, lock_timeout_s=1)
        circuit = Circuit(failures=1, reset_s=reset_s, clock=SystemClock())
        applying = Applying(pool, NOBODY, "topic", 2)
        writer = Writer(
            apply=applying.apply,
            positions=Positions(pool, Topics({"bootstrap.servers": NOBODY}), "topic", "group", timeouts),
            circuit=circuit,
            clock=SystemClock(),
            ahead=applying.ahead,
        )
        writer._positions.update({n: Position(topic_id=TOPIC_ID, row=None, begin=0, first=0) for n in (0, 1)})
        writer.start()
        yield writer, circuit
        assert writer.stop(5)


def batch(partition: int) -> Batch:
    return Batch(spans={partition: Span(0, 1, 1)}, reads=[read(made(), 0, partition)])


def results(writer: Writer, count: int) -> list[Result]:
    found: list[Result] = []

    def all_there() -> bool:
        found.extend(writer.results(0.05))
        return len(found) >= count

    eventually(all_there)
    return found


def probes() -> float:
    told = {"name": NAME, "to": "half-open"}
    return metrics.REGISTRY.get_sample_value("breaker_transitions_total", told) or 0.0


def test_a_batch_that_waits_behind_the_one_that_opened_the_circuit_is_no_probe() -> None:
    """It is of another partition, so its place in the log would let it go on."""
    before = probes()
    with writing(NOWHERE, reset_s=60) as (writer, circuit):
        writer.submit(batch(0))
        writer.submit(batch(1))
        failed, dropped = results(writer, 2)
        assert isinstance(failed, Failed)
        assert isinstance(failed.cause, PostgresUnavailable)
        assert dropped == Dropped()
        assert (circuit.state, probes()) == ("open", before)


def test_a_member_without_partitions_probes_too(database_url: str) -> None:
    before = probes()
    with writing(database_url, reset_s=0.1) as (writer, circuit):
        circuit.failed()
        writer.submit(Place(()))
        assert results(writer, 1) == [Placed({})]
        assert (circuit.state, writer.circuit, probes()) == ("closed", "closed", before + 1)


def test_a_probe_that_loses_a_race_is_made_again(database_url: str) -> None:
    """Method: a deadlock with somebody who locks partitions the other way round; what comes next is Kafka."""
    lock = "SELECT FROM consumer_offsets WHERE partition = %s FOR UPDATE"
    timeouts = statements.timeouts(statement_timeout_s=30, lock_timeout_s=20)
    with (
        ConnectionPool(database_url, min_size=0, max_size=1) as pool,
        psycopg.connect(database_url) as other,
        ThreadPoolExecutor(1) as thread,
    ):
        other.execute(
            "INSERT INTO consumer_offsets"
            " (consumer_group, topic, partition, topic_id, next_offset, first_offset)"
            " SELECT 'group', 'topic', n, gen_random_uuid(), 0, 0 FROM generate_series(0, 1) n"
        )
        other.commit()
        try:
            other.execute("SET deadlock_timeout = '20s'")  # the probe finds it, and is given up
        except psycopg.errors.InsufficientPrivilege:
            pytest.skip("only a superuser may say who finds a deadlock")
        other.execute(lock, [1])
        positions = Positions(pool, Topics({"bootstrap.servers": NOBODY}), "topic", "group", timeouts)
        probe = thread.submit(positions.read, [0, 1], probe=True, timeout_s=0.1)
        eventually(lambda: other.execute("SELECT FROM pg_locks WHERE NOT granted").fetchall())
        other.execute(lock, [0])
        other.rollback()
        with pytest.raises(KafkaUnavailable):
            probe.result()
