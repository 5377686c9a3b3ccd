"""The same facts get the same id for ever; any other fact gets another one."""

import base64
import json
import uuid
from hashlib import sha256
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import decode, encode
from schemas.event import EventType, SessionEvent, Statistics
from schemas.identity import event_id, session_id_for
from tests.crafted import EVENT
from tests.valid_events import STORABLE, events

NAMESPACE = uuid.UUID("6b1f5c1e-0a3f-5d0e-9c5b-7a1d2e4f6081")
BARE = SessionEvent(
    event_id="", source="s", tenant="t", type=EventType.UNKNOWN, user_id="u", received_at=0, normaliser=1
)


def changed(event: SessionEvent, **fields: Any) -> SessionEvent:
    return msgspec.structs.replace(event, **fields)


def id_by_hand(event: SessionEvent) -> str:
    """The id by the contract's words, with the standard library alone."""
    facts: dict[str, Any] = {
        "type": event.type.value,
        "sequence": event.sequence,
        "occurred_at": event.occurred_at,
        "session_start_time": event.session_start_time,
        "session_end_time": event.session_end_time,
        "timezone": event.timezone,
        "sleep_stages": None if event.sleep_stages is None else base64.b64encode(event.sleep_stages).decode(),
        "epoch_seconds": None if event.epoch_seconds == 30 else event.epoch_seconds,
    }
    if event.statistics is not None:
        figures = msgspec.structs.asdict(event.statistics)
        facts["statistics"] = {name: figure for name, figure in figures.items() if figure is not None}
    digest = sha256(as_json({name: fact for name, fact in facts.items() if fact is not None})).hexdigest()
    key = [event.tenant, event.source, event.type.value, event.user_id, event.session_id, event.sequence]
    return str(uuid.uuid5(NAMESPACE, as_json([*key, digest]).decode()))


def as_json(told: object) -> bytes:
    return json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode()


def test_released_ids_never_change() -> None:
    """Another id for old facts would make every repeat and every backfill a new event."""
    assert event_id(EVENT) == "d408077d-2ee9-5b47-8904-7302556aac87"
    assert event_id(BARE) == "ac32b3e1-0e70-5492-90bb-688d41477d56"
    assert session_id_for("u-1", 0, 1) == "591e9776-1493-5a98-83e9-1a6216a254a1"


@pytest.mark.parametrize("event", [EVENT, BARE, changed(EVENT, user_id='a"\\/é🌙', epoch_seconds=60)])
def test_an_id_is_the_uuid5_of_its_name(event: SessionEvent) -> None:
    assert event_id(event) == id_by_hand(event)


def test_a_session_id_is_the_uuid5_of_user_and_interval() -> None:
    name = as_json(["session", "u-1", -5, 7]).decode()
    assert session_id_for("u-1", -5, 7) == str(uuid.uuid5(NAMESPACE, name))


@settings(max_examples=100)
@given(event=events())
def test_an_id_is_a_canonical_uuid_of_version_5_and_survives_the_codec(event: SessionEvent) -> None:
    told = uuid.UUID(event_id(event))
    assert (told.version, told.variant, str(told)) == (5, uuid.RFC_4122, event_id(event))
    assert event_id(decode(encode(event))) == event_id(event)


@pytest.mark.parametrize(
    ("field", "other"),
    [
        ("tenant", "other"),
        ("source", "other"),
        ("type", EventType.SESSION_FAILED),
        ("user_id", "U-1"),
        ("session_id", None),
        ("session_id", "s-2"),
        ("sequence", 3),
        ("occurred_at", EVENT.occurred_at + 1),
        ("session_start_time", None),
        ("session_end_time", None),
        ("session_end_time", 1),
        ("timezone", "asia/seoul"),
        ("sleep_stages", None),
        ("sleep_stages", b""),
        ("sleep_stages", b"\x00\x01\x02\x03"),
        ("epoch_seconds", 60),
        ("statistics", None),
        ("statistics", Statistics(time_in_bed=1.5)),
        ("statistics", Statistics(time_in_bed=1.5, waso_count=3)),
        ("statistics", Statistics(time_in_sleep=1.5, waso_count=2)),
    ],
)
def test_every_fact_counts(field: str, other: object) -> None:
    assert event_id(changed(EVENT, **{field: other})) != event_id(EVENT)


@pytest.mark.parametrize(
    ("field", "other"),
    [
        ("event_id", "anything"),
        ("received_at", 0),
        ("normaliser", 2),
        ("raw", None),
        ("attributes", {}),
        ("utc_offset_seconds", None),
        ("utc_offset_seconds", -3_600),
        ("attributes", {"delivery-id": "7"}),
    ],
)
def test_how_and_when_it_came_does_not_count(field: str, other: object) -> None:
    assert event_id(changed(EVENT, **{field: other})) == event_id(EVENT)


def test_every_field_is_either_a_fact_or_not() -> None:
    """A new field of the event has to be put on one side, here and in the tables above."""
    facts = {"tenant", "source", "type", "user_id", "session_id", "sequence", "occurred_at", "timezone"}
    facts |= {"session_start_time", "session_end_time", "sleep_stages", "epoch_seconds", "statistics"}
    others = {"event_id", "received_at", "normaliser", "raw", "attributes", "utc_offset_seconds"}
    assert facts | others == set(SessionEvent.__struct_fields__)


@pytest.mark.parametrize("joint", [",", '","', '",null,"', "/", ":", "\\", '"', " ", "\n"])
def test_no_choice_of_ids_makes_two_events_alike(joint: str) -> None:
    left = changed(EVENT, tenant=f"a{joint}b", source="c", user_id="d", session_id="e")
    right = changed(EVENT, tenant="a", source=f"b{joint}c", user_id="d", session_id="e")
    lower = changed(EVENT, tenant="a", source="b", user_id=f"c{joint}d", session_id="e")
    lowest = changed(EVENT, tenant="a", source="b", user_id="c", session_id=f"d{joint}e")
    assert len({event_id(event) for event in (left, right, lower, lowest)}) == 4


def test_a_session_called_null_is_not_an_absent_one() -> None:
    ids = {event_id(changed(BARE, session_id=session)) for session in (None, "null", "None", "")}
    assert len(ids) == 4


@given(
    users=st.lists(st.text(STORABLE, min_size=1), min_size=2, max_size=2, unique=True),
    start_us=st.integers(0, 10),
    end_us=st.integers(0, 10),
)
def test_nights_of_two_people_never_share_a_session_id(users: list[str], start_us: int, end_us: int) -> None:
    ids = {session_id_for(user, start_us, end_us) for user in users}
    assert len(ids) == 2
    assert session_id_for(users[0], start_us, end_us + 1) not in ids
