"""The short way into the stage gives what the long way gives, byte for byte, or leaves the record to it."""

from uuid import UUID

import msgspec
import pytest
from confluent_kafka import Message
from hypothesis import event as noted
from hypothesis import given
from hypothesis import strategies as st

from config.errors import Poison
from consumers.decoding import read_of
from consumers.staging import place_of, short_way
from schemas.codec import PREFIX, encode, frame_of
from schemas.event import MAX_TIME_US, MAX_UTC_OFFSET_S, EventType, SessionEvent
from schemas.versions import LATEST
from tests.crafted import EVENT, SOME, long, record
from tests.events import made
from tests.valid_events import events

TOPIC_ID = UUID("b3f0c4a2-0000-4000-8000-0000000000ff")
PLACE = place_of(TOPIC_ID, 11)
OFFSET = 2**40 + 3
short = short_way(LATEST.schema)
DAY_US = 86_400_000_000


def the_long_way(value: bytes) -> tuple[object, ...] | None:
    try:
        read, from_future = read_of(Message(value=value), (TOPIC_ID, 11, OFFSET))
    except Poison:
        return None
    return read.row, read.key, read.received_us, from_future


def check(value: bytes) -> None:
    staged = short(value, PLACE, OFFSET)
    noted("short" if staged else "long")
    if staged is not None:
        assert staged == the_long_way(value)


@given(events())
def test_both_ways_stage_the_same(event: SessionEvent) -> None:
    check(encode(event))


PLAIN = [EVENT, made(), made(kind=EventType.SESSION_COMPLETE, occurred_at=1), made(user="u" * 63)]
NEARLY_ASCII = st.text(st.characters(min_codepoint=1, max_codepoint=130), min_size=1, max_size=66)


@given(st.sampled_from(PLAIN), NEARLY_ASCII, NEARLY_ASCII, st.data())
def test_both_ways_stage_the_same_of_bytes_that_nobody_should_send(
    event: SessionEvent, user_id: str, session_id: str, data: st.DataObject
) -> None:
    value = bytearray(encode(msgspec.structs.replace(event, user_id=user_id, session_id=session_id)))
    for _ in range(data.draw(st.integers(0, 3))):
        value[data.draw(st.integers(5, len(value) - 1))] = data.draw(st.integers(0, 255))
    check(bytes(value[: data.draw(st.just(len(value)) | st.integers(0, len(value)))]))


@pytest.mark.parametrize("event", PLAIN)
def test_plain_events_go_the_short_way(event: SessionEvent) -> None:
    value = encode(event)
    assert short(value, PLACE, OFFSET) == the_long_way(value) != None  # noqa: E711 - both are something


def test_a_time_from_the_future_is_told() -> None:
    told = [made(occurred_at=at, received_at=0) for at in (DAY_US, DAY_US + 1, MAX_TIME_US)]
    staged = [short(encode(event), PLACE, OFFSET) for event in told]
    assert [one and one[3] for one in staged] == [False, True, True]


@pytest.mark.parametrize(
    "event",
    [
        made(kind=EventType.SESSION_DELETED),
        made(kind=EventType.UNKNOWN),
        made(user="ü"),
        made(session="s" * 64),
        made(session="s" * 255),
    ],
)
def test_others_are_left_to_the_long_way(event: SessionEvent) -> None:
    assert short(encode(event), PLACE, OFFSET) is None


WHOLE = encode(made())
ID = made().event_id.encode()


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        PREFIX,
        PREFIX + b"H",
        WHOLE[:-1],
        WHOLE + b"0",
        WHOLE.replace(b"u-1", b"u\x001"),
        WHOLE.replace(b"\x06u-1", b"\x00"),
        WHOLE.replace(b"\x06\x00\x01\x02", b"\x06\x00\x01\x07"),
        WHOLE.replace(ID, ID.upper()),
        WHOLE.replace(ID, ID[1:] + b"-"),
        WHOLE.replace(b"asleep", b"asle\xffp"),
    ],
)
def test_what_is_no_event_is_left_to_the_long_way(value: bytes | None) -> None:
    assert value != WHOLE
    assert short(value, PLACE, OFFSET) is None


def test_a_schema_that_begins_otherwise_has_no_short_way() -> None:
    schema = {"fields": LATEST.schema["fields"][1:]}
    with pytest.raises(ValueError, match="begins"):
        short_way(schema)


def test_a_registrys_id_of_the_newest_schema_goes_the_short_way_once_it_is_known() -> None:
    """Else every record of a cluster with a registry would cost twice the time."""
    frame = frame_of(4711)
    prefixes = {PREFIX}
    stage = short_way(LATEST.schema, prefixes)
    value = encode(EVENT, frame)
    assert stage(value, PLACE, OFFSET) is None
    prefixes.add(frame)
    assert stage(value, PLACE, OFFSET) == stage(encode(EVENT), PLACE, OFFSET) == the_long_way(encode(EVENT))


@pytest.mark.parametrize("seconds", [-MAX_UTC_OFFSET_S - 1, MAX_UTC_OFFSET_S + 1])
def test_an_offset_that_the_event_can_not_have_goes_the_long_way(seconds: int) -> None:
    value = record(utc_offset_seconds=SOME + long(seconds))
    assert short(value, PLACE, OFFSET) is the_long_way(value) is None
