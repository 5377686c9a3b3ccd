import pytest

from config.cluster import Found, Snapshot
from config.sections import KafkaSettings
from config.topics import Change, Topic, declared, plan

EVENTS = Topic(name="events", partitions=12, config={"retention.ms": "7", "cleanup.policy": "delete"})
AS_DECLARED = {**EVENTS.config, "min.insync.replicas": "1", "segment.bytes": "set by somebody"}


def planned(found: Found | None, brokers: int = 1, *, repartition: bool = False) -> list[Change]:
    topics = {} if found is None else {"events": found}
    return plan([EVENTS], Snapshot(brokers=brokers, topics=topics), repartition=repartition)


def test_both_topics_are_declared_under_the_settings_names() -> None:
    events, dead_letters = declared(KafkaSettings(events_topic="a", dead_letters_topic="b"))
    assert (events.name, events.partitions) == ("a", 12)
    assert dead_letters.name == "b"
    days_90 = str(90 * 24 * 3600 * 1000)
    assert events.config["retention.ms"] == dead_letters.config["retention.ms"] == days_90
    assert events.config["max.message.bytes"] == str(4 * 1024**2)
    assert dead_letters.config["max.message.bytes"] == str(5 * 1024**2)
    assert events.config["unclean.leader.election.enable"] == "false"


@pytest.mark.parametrize(
    ("brokers", "copies", "in_sync"), [(1, 1, "1"), (2, 2, "1"), (3, 3, "2"), (5, 3, "2")]
)
def test_a_missing_topic_is_created_with_three_copies_where_there_are_three_brokers(
    brokers: int, copies: int, in_sync: str
) -> None:
    [change] = planned(None, brokers)
    assert (change.kind, change.partitions, change.copies) == ("create", 12, copies)
    assert change.config == {**EVENTS.config, "min.insync.replicas": in_sync}


def test_a_topic_as_declared_needs_nothing_and_other_settings_of_it_are_left_alone() -> None:
    assert planned(Found(partitions=12, copies=1, config=AS_DECLARED)) == []


def test_only_settings_that_differ_are_set() -> None:
    [change] = planned(Found(partitions=12, copies=1, config={**AS_DECLARED, "retention.ms": "8"}))
    assert (change.kind, dict(change.config)) == ("configure", {"retention.ms": "7"})
    assert change.text == "retention.ms 8 -> 7"


def test_partitions_are_added_only_when_asked_for() -> None:
    found = Found(partitions=3, copies=1, config=AS_DECLARED)
    [note] = planned(found)
    assert note.kind == "note"
    assert "--repartition" in note.text
    [change] = planned(found, repartition=True)
    assert (change.kind, change.partitions) == ("repartition", 12)
    assert "keys move" in change.text


def test_partitions_are_never_taken_away() -> None:
    [note] = planned(Found(partitions=24, copies=1, config=AS_DECLARED), repartition=True)
    assert note.kind == "note"


def test_two_in_sync_are_never_asked_of_a_topic_with_one_copy() -> None:
    """It would refuse every write."""
    [note] = planned(Found(partitions=12, copies=1, config=AS_DECLARED), brokers=3)
    assert note.kind == "note"
    assert "1 of 3 copies" in note.text
