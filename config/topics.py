"""Topics: what `topics.yml` declares, what a cluster lacks of it, and how it gets it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Final, Literal

import yaml

from config.cluster import TIMEOUT_S, Cluster, Found, Snapshot
from config.sections import KafkaSettings

WANTED_COPIES: Final = 3
USABLE_WITHIN_S: Final = 30.0


@dataclass(frozen=True, kw_only=True)
class Topic:
    """A topic as it is declared, under the name that it has here."""

    name: str
    partitions: int
    config: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Change:
    """One step of a plan; a `note` is only told, nothing is done for it."""

    kind: Literal["create", "configure", "repartition", "note"]
    topic: str
    text: str
    partitions: int = 0
    copies: int = 0
    config: Mapping[str, str] = field(default_factory=dict)


def declared(kafka: KafkaSettings) -> list[Topic]:
    """What `topics.yml` declares, with the settings' names."""
    document = yaml.safe_load((files("config") / "topics.yml").read_text("utf-8"))
    return [
        Topic(
            name=getattr(kafka, entry["setting"]),
            partitions=entry["partitions"],
            config={name: _text(value) for name, value in entry["config"].items()},
        )
        for entry in document.values()
    ]


def plan(topics: Sequence[Topic], snapshot: Snapshot, *, repartition: bool = False) -> list[Change]:
    """What a cluster lacks; an empty list where it is as declared.

    Args:
        topics: What is declared.
        snapshot: What the cluster has.
        repartition: Whether a count of partitions may be raised. That moves users' keys to other
            partitions, so that a user's older and newer events are then read by different sinks.
    """
    changes: list[Change] = []
    for topic in topics:
        found = snapshot.topics.get(topic.name)
        if found is None:
            changes.append(_creation(topic, snapshot.brokers))
        else:
            changes.extend(_differences(topic, found, snapshot.brokers, repartition=repartition))
    return changes


def apply_topics(
    kafka: KafkaSettings, *, repartition: bool = False, timeout_s: float = TIMEOUT_S
) -> list[Change]:
    """Bring the cluster to what is declared, wait until the topics can be used, and say what was done.

    Raises:
        Unavailable: The cluster can't be reached, or a partition finds no leader.
        RelayError: The cluster refuses a change.
    """
    cluster = Cluster(kafka, timeout_s)
    topics = declared(kafka)
    changes = plan(topics, cluster.snapshot([topic.name for topic in topics]), repartition=repartition)
    execute(cluster, changes)
    return changes


def execute(cluster: Cluster, changes: Sequence[Change]) -> None:
    """Carry out a plan, and wait until what it touched can be used."""
    for change in changes:
        match change.kind:
            case "create":
                cluster.create(change.topic, change.partitions, change.copies, change.config)
            case "configure":
                cluster.configure(change.topic, change.config)
            case "repartition":
                cluster.repartition(change.topic, change.partitions)
            case "note":
                pass
    cluster.wait_usable({c.topic: c.partitions for c in changes if c.partitions}, USABLE_WITHIN_S)


def _creation(topic: Topic, brokers: int) -> Change:
    copies = min(WANTED_COPIES, brokers)
    return Change(
        kind="create",
        topic=topic.name,
        text=f"{topic.partitions} partitions, {copies} {'copy' if copies == 1 else 'copies'} of each",
        partitions=topic.partitions,
        copies=copies,
        config=_config(topic, copies),
    )


def _differences(topic: Topic, found: Found, brokers: int, *, repartition: bool) -> Iterator[Change]:
    wanted = _config(topic, found.copies)
    differing = {name: value for name, value in wanted.items() if found.config.get(name) != value}
    if differing:
        told = [f"{name} {found.config.get(name, 'unset')} -> {value}" for name, value in differing.items()]
        yield Change(kind="configure", topic=topic.name, text=", ".join(told), config=differing)
    if found.partitions < topic.partitions:
        step = f"{found.partitions} -> {topic.partitions} partitions"
        if repartition:
            text = f"{step}; users' keys move to other partitions"
            yield Change(kind="repartition", topic=topic.name, text=text, partitions=topic.partitions)
        else:
            yield Change(
                kind="note", topic=topic.name, text=f"{step} only with --repartition: it moves users' keys"
            )
    if found.partitions > topic.partitions:
        text = f"has {found.partitions} partitions, {topic.partitions} declared: Kafka can't take any away"
        yield Change(kind="note", topic=topic.name, text=text)
    if found.copies < min(WANTED_COPIES, brokers):
        text = (
            f"has {found.copies} of {min(WANTED_COPIES, brokers)} copies: reassign it with Kafka's own tools"
        )
        yield Change(kind="note", topic=topic.name, text=text)


def _config(topic: Topic, copies: int) -> dict[str, str]:
    """Declared settings, and how many copies a write needs: two of three, so that one may be away."""
    return {**topic.config, "min.insync.replicas": "2" if copies >= WANTED_COPIES else "1"}


def _text(value: Any) -> str:
    """A value as Kafka writes it: `false`, not `False`."""
    return str(value).lower() if isinstance(value, bool) else str(value)
