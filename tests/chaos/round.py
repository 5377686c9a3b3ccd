"""One round: a load, a hand of faults, time to recover, an end in order, and the verdict."""

import random
import traceback
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

import httpx
import psycopg
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from config.embedded.services import EmbeddedServices
from tests.chaos.fault import Fault, Missed
from tests.chaos.faults import FAULTS
from tests.chaos.stage import Stage, staged
from tests.chaos.verdict import Verdict, judge
from tests.eventually import eventually
from tests.own_places import PARTITIONS, QUIET, own_database, own_topic
from tests.sink_rig import SinkRig

RECOVERED_WITHIN_S = 90.0
_BEGIN_WITHIN_S = 90.0


class Ground(NamedTuple):
    """What all rounds of a run share."""

    services: EmbeddedServices
    template: str
    logs: Path


class Outcome(NamedTuple):
    """A round's verdict, and which of its faults took place."""

    verdict: Verdict
    happened: Counter[str]


def play(ground: Ground, seed: int, number: int, hand: Sequence[str]) -> Outcome:
    """Play one round of a seed; where the rig itself fails, that is a finding too."""
    try:
        return _round(ground, seed, number, hand)
    except Exception as error:  # noqa: BLE001 - the other rounds are still to be played
        where = traceback.format_exc(limit=-3)
        return Outcome(Verdict(problems=[f"the round failed: {error!r}\n{where}"]), Counter())


def _round(ground: Ground, seed: int, number: int, hand: Sequence[str]) -> Outcome:
    chance = random.Random(f"{seed}:{number}")
    services, logs = ground.services, ground.logs / f"{seed}-{number}"
    logs.mkdir()
    admin = AdminClient({"bootstrap.servers": services.addresses.kafka_bootstrap_servers, **QUIET})
    topic = own_topic(admin)
    with own_database(services.addresses.database_url, ground.template) as url:
        rig = SinkRig(services, topic, url, logs)
        try:
            with staged(services, rig, logs, chance) as stage:
                outcome = _play(stage, admin, chance, hand)
        finally:
            rig.close()
    for deleted in admin.delete_topics([topic, f"{topic}.dlq"]).values():
        deleted.result(20)
    return outcome


def _play(stage: Stage, admin: AdminClient, chance: random.Random, hand: Sequence[str]) -> Outcome:
    stage.burst(chance, chance.randrange(50, 400))
    eventually(lambda: _answers(stage), _BEGIN_WITHIN_S)
    load = stage.load(chance.randrange(2**31), chance.randrange(200, 600), chance.uniform(50, 120))
    happened = _strike_all(stage, chance, [FAULTS[name] for name in hand])
    problems = load.problems
    load.join(RECOVERED_WITHIN_S)
    try:
        eventually(lambda: _unrecovered(stage, admin) == [], RECOVERED_WITHIN_S, every_s=0.1)
    except AssertionError:
        problems.append(
            f"not recovered {RECOVERED_WITHIN_S:g} s later: {', '.join(_unrecovered(stage, admin))}"
        )
    for member in (stage.relay, *stage.sinks):
        member.terminate(hold=True)
        member.look()
    problems += [problem for member in stage.members for problem in member.problems]
    return Outcome(judge(stage, load.account, problems), happened)


def _strike_all(stage: Stage, chance: random.Random, hand: Sequence[Fault]) -> Counter[str]:
    """Strike in turn; now and then one before the last one is mended, if they don't touch the same."""
    happened: Counter[str] = Counter()
    open_ones: list[tuple[Fault, ExitStack]] = []

    def mend() -> None:
        while open_ones:
            fault, stack = open_ones.pop()
            stage.pause(chance.uniform(*fault.lasts_s))
            with suppress(Missed):
                stack.close()
                happened[fault.name] += 1

    try:
        for fault in hand:
            busy = frozenset().union(*(one.touches for one, _ in open_ones))
            if busy & fault.touches or chance.random() < 0.5:
                mend()
            stack = ExitStack()
            with suppress(Missed):
                stack.enter_context(fault.strike(stage, chance))
                open_ones.append((fault, stack))
        mend()
    finally:
        while open_ones:
            with suppress(Missed):
                open_ones.pop()[1].close()
    return happened


def _answers(stage: Stage) -> bool:
    try:
        stage.spooled()
    except (httpx.TransportError, KeyError):
        return False
    return stage.rig.done() > 0


def _unrecovered(stage: Stage, admin: AdminClient) -> list[str]:
    """What is still to come, in words; nothing once all is where it belongs."""
    try:
        left = [f"{stage.spooled():g} events are spooled"] if stage.spooled() else []
    except (httpx.TransportError, KeyError) as error:
        left = [f"the relay does not tell ({error!r})"]
    if waiting := stage.unpublished():
        left.append(f"{waiting} records are not published")
    topics = {stage.rig.topic: PARTITIONS, f"{stage.rig.topic}.dlq": 1}
    asked = {TopicPartition(t, p): OffsetSpec.latest() for t, count in topics.items() for p in range(count)}  # type: ignore[no-untyped-call]
    try:
        found = admin.list_offsets(asked).items()
        ends = {(at.topic, at.partition): told.result(10).offset for at, told in found}
    except KafkaException as error:
        with suppress(KafkaException):  # else a leader whose epoch is over is asked as such for ever
            admin.list_topics(timeout=5)
        return [*left, f"Kafka does not tell where the log ends ({error.args[0].name()})"]
    try:
        rows = stage.rig.query("SELECT topic, partition, next_offset FROM consumer_offsets")
    except psycopg.OperationalError:
        stage.rig.reconnect()
        return [*left, "the table can't be read"]
    done = {(topic, partition): offset for topic, partition, offset in rows}
    return left + [
        f"{topic[-4:]} {p}: {done.get((topic, p), 0)} of {end}"
        for (topic, p), end in ends.items()
        if done.get((topic, p), 0) != end
    ]
