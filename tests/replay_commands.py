"""`session-relay replay` as an operator runs it, and what it must never touch."""

import json
import subprocess
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]
from confluent_kafka.cimpl import NewTopic
from typer.testing import CliRunner, Result

from session_relay.cli import app
from tests.eventually import PATIENCE_S, eventually
from tests.own_places import FOREVER
from tests.sink_rig import SinkRig


class Sent(NamedTuple):
    """A record as it stands in a topic."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    timestamp_ms: int


def run(rig: SinkRig, *arguments: object) -> Result:
    """One command; what it raises is in the result."""
    return CliRunner().invoke(app, list(map(str, arguments)), env=rig.environment())


def told(rig: SinkRig, *arguments: object) -> Any:
    """What one command answers with --json."""
    result = run(rig, *arguments, "--json")
    assert result.stdout, result.exception
    return json.loads(result.stdout.splitlines()[-1])


def started(rig: SinkRig, log: Path, *arguments: object) -> subprocess.Popen[bytes]:
    """The same in a process of its own, which can be killed."""
    with log.open("ab") as file:
        words = [sys.executable, "-m", "session_relay.cli", *map(str, arguments)]
        return subprocess.Popen(words, env=rig.environment(), stdout=file, stderr=file)


def children_of(process: int) -> list[int]:
    """The processes that one has started."""
    path = Path(f"/proc/{process}/task/{process}/children")
    try:
        return [int(one) for one in path.read_text("ascii").split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def new_topic(admin: AdminClient, partitions: int = 2) -> str:
    """A topic to replay to."""
    name = f"test-{uuid.uuid4()}"
    for made in admin.create_topics([NewTopic(name, partitions, 1, config=FOREVER)]).values():
        made.result(PATIENCE_S)
    eventually(lambda: _is_led(admin, name))
    return name


def _is_led(admin: AdminClient, topic: str) -> bool:
    """Whether brokers answer for it, which they do a moment after it was made."""
    try:
        return bool(ends(admin, topic))
    except KafkaException:
        return False


def ends(admin: AdminClient, topic: str) -> dict[int, int]:
    """Each partition's end."""
    count = len(admin.list_topics(topic, 20).topics[topic].partitions)
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    asked = {TopicPartition(topic, number): latest for number in range(count)}
    return {at.partition: found.result(PATIENCE_S).offset for at, found in admin.list_offsets(asked).items()}


def records(rig: SinkRig, topic: str) -> list[Sent]:
    """All that a topic holds, partition by partition."""
    consumer = Consumer(
        {"bootstrap.servers": rig.kafka, "group.id": f"look-{topic}", "enable.partition.eof": True}
    )
    count = len(consumer.list_topics(topic, 20).topics[topic].partitions)
    consumer.assign([TopicPartition(topic, number, 0) for number in range(count)])
    found: list[Sent] = []
    ended: set[int | None] = set()
    while len(ended) < count:
        message = consumer.poll(20)
        assert message is not None
        if (error := message.error()) is not None:
            assert error.code() == KafkaError._PARTITION_EOF
            ended.add(message.partition())
            continue
        headers: Any = message.headers() or []
        found.append(Sent(message.key(), message.value(), headers, message.timestamp()[1]))
    consumer.close()
    return found


def untouched(rig: SinkRig, admin: AdminClient, topics: Sequence[str]) -> dict[str, Any]:
    """All that a dry run must leave alone: rows, ends of topics, groups and their offsets."""
    names = [name for (name,) in rig.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    rows = {name: rig.query(f"SELECT count(*) FROM {name}")[0][0] for name in names}
    schemas = rig.query("SELECT count(*) FROM pg_namespace WHERE nspname NOT LIKE 'pg_%'")
    return {
        "rows": rows,
        "schemas": schemas,
        "offsets": rig.query("SELECT * FROM consumer_offsets ORDER BY partition"),
        "ends": {topic: ends(admin, topic) for topic in topics},
        "groups": group_offsets(rig, admin),
    }


def group_offsets(rig: SinkRig, admin: AdminClient) -> dict[str, Any]:
    """Every group of the cluster that replays could have joined, and the live one's offsets in Kafka."""
    groups = admin.list_consumer_groups().result(PATIENCE_S).valid
    names = sorted(group.group_id for group in groups if "replay" in group.group_id)
    consumer = Consumer({"bootstrap.servers": rig.kafka, "group.id": rig.topic})
    count = len(consumer.list_topics(rig.topic, 20).topics[rig.topic].partitions)
    asked = [TopicPartition(rig.topic, number) for number in range(count)]

    def committed() -> list[int] | None:
        try:
            return [at.offset for at in consumer.committed(asked, 20)]
        except KafkaException:  # a cluster that was just started has no coordinator for a moment
            return None

    offsets = eventually(committed, every_s=0.2)
    consumer.close()
    return {"groups": names, "committed": offsets}
