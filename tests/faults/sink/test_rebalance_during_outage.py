"""Partitions move while Postgres is away: whoever has them keeps them paused, and each event lands once."""

import json
import random
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from config.embedded.services import EmbeddedServices
from consumers.consumer import Consumer
from tests.events import history, made
from tests.eventually import eventually
from tests.sink_rig import QUICK_SESSION, SinkRig

pytestmark = [pytest.mark.integration, pytest.mark.faults]


@pytest.mark.timeout(180)
def test_a_member_that_joins_in_the_outage_shares_the_work_afterwards(
    rig: SinkRig, postgres: EmbeddedServices
) -> None:
    """Method: stop Postgres until the circuit is open, start a second sink, publish on, start Postgres."""
    log = history(random.Random(21), 1_200, sessions=80)
    rig.publish(log[:400])
    first = rig.start()
    rig.wait_until_done(400)
    postgres.stop("postgres")
    rig.publish(log[400:800])
    eventually(lambda: rig.told(first, "breaker_changed", to="open"))
    second = rig.start()
    eventually(lambda: rig.told(second, "partitions_assigned", topic=rig.topic))
    eventually(lambda: rig.told(first, "partitions_revoked", topic=rig.topic))
    eventually(lambda: rig.told(second, "breaker_changed", to="half-open"))
    rig.publish(log[800:])
    postgres.start("postgres")
    rig.reconnect()
    rig.wait_until_done(len(log))
    rig.assert_as_expected(log)
    assert rig.sums()["parked"] == 0
    for sink in (first, second):
        eventually(lambda sink=sink: rig.told(sink, "breaker_changed", to="closed"))  # type: ignore[misc]


class Member:
    """A consumer whose place nobody tells, and how many records the client library has fetched for it."""

    def __init__(self, rig: SinkRig) -> None:
        self.fetched, self.looks = 0, 0
        self.consumer = Consumer(
            {
                "bootstrap.servers": rig.kafka,
                "group.id": rig.topic,
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "partition.assignment.strategy": "cooperative-sticky",
                **json.loads(QUICK_SESSION),
            },
            rig.topic,
            before_revoke=lambda _: None,
            after_loss=lambda _: None,
            on_statistics=self._look,
        )

    def _look(self, statistics: Mapping[str, Any]) -> None:
        told = statistics["topics"].values()
        partitions = [at for topic in told for number, at in topic["partitions"].items() if number != "-1"]
        self.fetched = sum(at["rxmsgs"] for at in partitions)
        self.looks += 1

    def polled(self) -> "Member":
        """Polled once, and none of its partitions is read."""
        assert self.consumer.read(10, 0.02) == []
        assert not self.consumer.next
        return self


def fetched(members: Sequence[Member]) -> list[int]:
    """How many records each has fetched, by what is told after some more polls."""
    looks = [member.looks + 3 for member in members]
    eventually(lambda: all(one.polled().looks >= most for one, most in zip(members, looks, strict=True)))
    return [member.fetched for member in members]


def test_what_is_assigned_or_kept_in_a_rebalance_stays_paused_until_it_is_placed(rig: SinkRig) -> None:
    """Method: a member pauses what it has read, another joins, records come: the library fetches none."""
    first = Member(rig)
    eventually(lambda: first.polled().consumer.unplaced)
    first.consumer.place(dict.fromkeys(first.consumer.unplaced, 0))
    rig.publish(made(session=f"s-{n}", user=f"u-{n}") for n in range(30))
    eventually(lambda: first.consumer.read(10, 0.05) and sum(first.consumer.next.values()) == 30)
    first.consumer.unplace()
    second = Member(rig)
    try:
        eventually(lambda: [bool(one.polled().consumer.unplaced) for one in (first, second)][1])
        before = fetched([first, second])
        rig.publish(made(session=f"t-{n}", user=f"u-{n}") for n in range(60))
        assert fetched([first, second]) == before
        assert first.consumer.unplaced | second.consumer.unplaced == {0, 1, 2}
    finally:
        first.consumer.close(5)
        second.consumer.close(5)
