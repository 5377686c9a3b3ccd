"""The publisher without a broker: what it does when Kafka will not, or never again, take anything."""

import asyncio

import pytest
from confluent_kafka import KafkaError, Message

from config.clock import SystemClock
from config.health import Dependency
from config.sections import KafkaSettings
from producers.delivery import NotAcknowledged, Refusal, TooLarge
from producers.publish import Pending, Publisher, Record

NOWHERE = KafkaSettings(bootstrap_servers="127.0.0.1:9")
RECORD = Record("session.events", b"key", b"value", [("ce_id", b"1")])


def dependency() -> Dependency:
    return Dependency(name="kafka", needed=True, clock=SystemClock())


def publisher(kafka: Dependency, fatal: list[str], deadline_s: float = 0.2) -> Publisher:
    return Publisher(
        NOWHERE, deadline_s=deadline_s, dependency=kafka, clock=SystemClock(), on_fatal=fatal.append
    )


async def refusal_of(publisher: Publisher, record: Record) -> Refusal:
    with pytest.raises(Refusal) as refused:
        await publisher.publish([record])
    return refused.value


def test_without_a_broker_the_deadline_is_kept() -> None:
    async def scenario() -> tuple[Refusal, float, Dependency]:
        kafka, loop = dependency(), asyncio.get_running_loop()
        one = publisher(kafka, [])
        started_s = loop.time()
        refusal = await refusal_of(one, RECORD)
        took_s = loop.time() - started_s
        one.close(0)
        return refusal, took_s, kafka

    refusal, took_s, kafka = asyncio.run(scenario())
    assert isinstance(refusal, NotAcknowledged)
    assert refusal.reason in {"deadline", "refused"}  # librdkafka's own time-out may be a little earlier
    assert 0.15 < took_s < 2
    assert not kafka.up


def test_giving_up_ends_what_waits() -> None:
    async def scenario() -> Refusal:
        one = publisher(dependency(), [], deadline_s=60)
        waiting = asyncio.create_task(refusal_of(one, RECORD))
        await asyncio.sleep(0)  # lets it begin
        one.give_up()
        refusal = await waiting
        assert one.close(0) == 1  # never acknowledged, so left behind and said
        return refusal

    refusal = asyncio.run(scenario())
    assert isinstance(refusal, NotAcknowledged)
    assert refusal.reason == "shutting_down"


def test_a_record_beyond_kafkas_size_is_too_large() -> None:
    async def scenario() -> Refusal:
        one = publisher(dependency(), [])
        refusal = await refusal_of(one, RECORD._replace(value=bytes(5 * 1024 * 1024)))
        one.close(0)
        return refusal

    assert isinstance(asyncio.run(scenario()), TooLarge)


def test_a_client_that_goes_away_leaves_nothing_waiting() -> None:
    async def scenario() -> bool:
        one = publisher(dependency(), [])
        waiting = asyncio.create_task(one.publish([RECORD]))
        await asyncio.sleep(0)  # lets it begin
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        again = await refusal_of(one, RECORD)  # later reports and deadlines still arrive
        one.close(0)
        return isinstance(again, NotAcknowledged)

    assert asyncio.run(scenario())


@pytest.mark.parametrize(
    ("error", "fatal"),
    [
        (KafkaError(KafkaError._FATAL, "x", fatal=True), ["_FATAL"]),
        (
            KafkaError(KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER, "x", fatal=True),
            ["OUT_OF_ORDER_SEQUENCE_NUMBER"],
        ),
        (KafkaError(KafkaError._TRANSPORT, "x"), []),
        (KafkaError(KafkaError._ALL_BROKERS_DOWN, "x"), []),
    ],
)
def test_only_what_no_retry_can_mend_is_fatal(error: KafkaError, fatal: list[str]) -> None:
    async def scenario() -> list[str]:
        told: list[str] = []
        one = publisher(dependency(), told)
        one._on_error(error)
        one.close(0)
        return told

    assert asyncio.run(scenario()) == fatal


def test_a_withdrawn_record_is_not_made_up_for_by_its_neighbours() -> None:
    async def scenario() -> tuple[bool, object]:
        message, loop = Message(), asyncio.get_running_loop()
        withdrawn, whole = (Pending(loop.create_future(), [RECORD] * 2, 60) for _ in range(2))
        withdrawn.on_trouble = lambda _: None
        withdrawn.report(KafkaError(KafkaError._PURGE_QUEUE), message)
        withdrawn.report(None, message)
        whole.report(None, message)
        whole.report(None, message)
        return withdrawn.future.done(), whole.future.result()

    assert asyncio.run(scenario()) == (False, "queued")
