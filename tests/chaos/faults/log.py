"""The log itself holds what it should not: poison, repeats, old states late; and the group's offsets lie."""

import random
import uuid
from collections.abc import Iterator

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from schemas.codec import encode
from schemas.event import SessionEvent
from tests.chaos.fault import Missed, fault
from tests.chaos.stage import BEAST, Stage
from tests.events import made
from tests.eventually import eventually
from tests.own_places import PARTITIONS, QUIET
from tests.relay_process import records


@fault("kafka")
def poison_among_good(stage: Stage, chance: random.Random) -> Iterator[None]:
    """Some can't be decoded, some are refused by the database; each stands between good ones."""
    good = [(event.user_id.encode(), encode(event)) for event in _good(60)]
    poison = [(b"u-1", chance.randbytes(chance.randrange(40))) for _ in range(chance.randrange(1, 6))]
    poison += [(b"u-2", encode(made(session=str(uuid.uuid4()), sequence=BEAST))) for _ in range(2)]
    stage.poison |= {value for _, value in poison}
    both = [*good, *poison]
    chance.shuffle(both)
    stage.publish(both)
    yield


def _good(count: int) -> Iterator[SessionEvent]:
    return (made(session=str(uuid.uuid4()), user=f"u-{n % 3}", sequence=1) for n in range(count))


@fault("kafka")
def repeats_and_reordering(stage: Stage, chance: random.Random) -> Iterator[None]:
    """Half of what the log holds comes again, in any order."""
    found = [(one.key(), one.value()) for one in records(stage.rig.kafka, stage.rig.topic)]
    again = chance.sample(found, min(len(found) // 2, 400))
    stage.publish(again)
    yield


@fault("kafka sinks sink-wire guest")
def group_offsets_tampered(stage: Stage, chance: random.Random) -> Iterator[None]:
    """Somebody sets the group's offsets to anything: the table alone decides."""
    for sink in stage.sinks:
        sink.terminate(hold=True)
    try:
        _tamper(stage, chance)
    finally:
        for sink in stage.sinks:
            sink.start()
    yield


def _tamper(stage: Stage, chance: random.Random) -> None:
    admin = AdminClient({"bootstrap.servers": stage.rig.kafka, **QUIET})
    topic = stage.rig.topic
    offsets = [TopicPartition(topic, p, chance.choice([0, 3, 10**6])) for p in range(PARTITIONS)]
    asked = [ConsumerGroupTopicPartitions(topic, offsets)]

    def accepted() -> bool:
        try:
            done = admin.alter_consumer_group_offsets(asked)[topic].result(10)
        except KafkaException:
            return False  # a member that was killed before has its session still
        return all(at.error is None for at in done.topic_partitions or [])

    try:
        eventually(accepted, within_s=8)
    except AssertionError:
        raise Missed from None
