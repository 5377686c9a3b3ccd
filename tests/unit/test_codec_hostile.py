"""Bytes that are not exactly one of our records never pass for one, and cost no more than their size."""

import struct
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.errors import Poison, StoppedForSafety
from schemas.codec import REASONS, decode, encode, problems_of
from schemas.versions import BY_SCHEMA_ID, LATEST, PINNED_IDS
from tests.crafted import EVENT, FRAME, NULL, PIECES, SOME, long, record, sized

HUGE = (2**31, 2**32, 2**32 + 1, 2**62, 2**63 - 1)
NEGATIVE = (-1, -2, -(2**31), -(2**63))


def reason_of(value: bytes | None) -> str:
    """Why the codec calls it poison."""
    with pytest.raises(Poison) as poison:
        decode(value)
    assert poison.value.reason in REASONS
    return poison.value.reason


def outcome_of(value: bytes) -> str:
    """What becomes of any bytes; whatever passes has to be an event that may be written."""
    try:
        event = decode(value)
    except (Poison, StoppedForSafety) as refused:
        return type(refused).__name__
    assert problems_of(event) == []
    return "event"


def test_the_record_by_hand_is_what_the_codec_writes_and_reads() -> None:
    assert encode(EVENT) == record()
    assert decode(record()) == EVENT


def test_every_truncation_is_poison() -> None:
    whole = record()
    short = {reason_of(whole[:length]) for length in range(len(FRAME))}
    cut = {reason_of(whole[:length]) for length in range(len(FRAME), len(whole))}
    assert (short, cut) == ({"not_framed"}, {"undecodable"})


def test_whatever_follows_the_record_is_poison() -> None:
    for more in [*(bytes([byte]) for byte in range(256)), b"{}", record()]:
        assert reason_of(record() + more) == "undecodable"


@pytest.mark.parametrize(
    "value", [None, b"", b"\x00", FRAME[:4], b"\x01" + record()[1:], b'{"event_id": "1"}']
)
def test_what_is_not_framed_is_poison(value: bytes | None) -> None:
    assert reason_of(value) == "not_framed"


@pytest.mark.parametrize("schema_id", [0, 1, PINNED_IDS.start - 1, PINNED_IDS.stop, 2**32 - 1])
def test_a_foreign_schema_is_poison(schema_id: int) -> None:
    assert reason_of(record(struct.pack(">BI", 0, schema_id))) == "unknown_schema"


@pytest.mark.parametrize("schema_id", [LATEST.schema_id + 1, PINNED_IDS.stop - 1])
def test_a_pinned_id_that_is_not_known_stops_the_sink(schema_id: int) -> None:
    """A newer relay writes: parking its events would lose them for no fault of theirs."""
    assert schema_id not in BY_SCHEMA_ID
    with pytest.raises(StoppedForSafety, match=str(schema_id)):
        decode(struct.pack(">BI", 0, schema_id))


@pytest.mark.parametrize("index", [8, 100, *HUGE, *NEGATIVE, -8])
def test_an_enum_index_outside_the_symbols_is_poison(index: int) -> None:
    """Python's lists would take -1 for the last symbol."""
    assert reason_of(record(type=long(index))) == "undecodable"


@pytest.mark.parametrize("index", [2, 3, *HUGE, *NEGATIVE])
@pytest.mark.parametrize("field", ["session_id", "statistics", "raw", "session_end_time"])
def test_a_union_index_outside_the_branches_is_poison(field: str, index: int) -> None:
    assert reason_of(record(**{field: long(index) + PIECES[field][1:]})) == "undecodable"


@pytest.mark.parametrize("length", [1_000, *HUGE, *NEGATIVE])
def test_a_length_that_is_not_there_is_poison(length: int) -> None:
    assert reason_of(record(user_id=long(length) + b"u-1")) == "undecodable"
    assert reason_of(record(raw=SOME + long(length) + b"{}")) == "undecodable"
    assert reason_of(record(attributes=long(1) + long(length) + b"n")) == "undecodable"


@pytest.mark.parametrize("count", [2**20, *HUGE, -1, -(2**40), -(2**63)])
def test_a_count_of_entries_that_are_not_there_is_poison(count: int) -> None:
    assert reason_of(record(attributes=long(count) + sized("n") + sized("v") + long(0))) == "undecodable"


def test_a_block_of_entries_may_tell_its_size() -> None:
    """Avro specification, "maps": a negative count is followed by the block's size in bytes."""
    block = sized("naïve") + sized("🌙")
    told = long(-1) + long(len(block)) + block + long(0)
    assert decode(record(attributes=told)) == EVENT


@pytest.mark.parametrize("text", [b"\xff", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"])
def test_text_that_is_not_utf_8_is_poison(text: bytes) -> None:
    assert reason_of(record(user_id=sized(text))) == "undecodable"


@pytest.mark.parametrize(
    "spoiled",
    [
        {"normaliser": long(2**32 + 1)},
        {"normaliser": long(-1)},
        {"epoch_seconds": long(0)},
        {"occurred_at": long(2**63 - 1)},
        {"session_id": NULL},
        {"session_id": SOME + sized("")},
        {"user_id": sized("u\x00")},
        {"source": sized("x" * 65)},
        {"event_id": sized(EVENT.event_id.upper())},
        {"sleep_stages": SOME + sized(b"\x04")},
        {"statistics": SOME + SOME + struct.pack("<d", float("nan")) + NULL * 20},
        {"attributes": long(1) + sized("n") + sized("\x00") + long(0)},
    ],
)
def test_a_record_with_values_that_the_table_cannot_hold_is_poison(spoiled: dict[str, bytes]) -> None:
    assert reason_of(record(**spoiled)) == "invalid"


def test_a_poison_tells_no_value() -> None:
    with pytest.raises(Poison) as poison:
        decode(record(user_id=sized("alice\x00"), session_id=NULL, event_id=sized("alice".ljust(36))))
    assert "alice" not in f"{poison.value} {poison.value.detail}"
    assert poison.value.__cause__ is None


@settings(max_examples=300)
@given(
    spoils=st.lists(st.tuples(st.integers(0, len(record()) - 1), st.integers(0, 255)), min_size=1, max_size=4)
)
def test_spoiled_bytes_are_an_event_or_refused_but_never_a_crash(spoils: list[tuple[int, int]]) -> None:
    value = bytearray(record())
    for place, byte in spoils:
        value[place] = byte
    outcome_of(bytes(value))


@settings(max_examples=300)
@given(body=st.binary(max_size=400), where=st.sampled_from(list(PIECES)))
def test_random_bytes_in_any_place_are_refused_or_an_event(body: bytes, where: str) -> None:
    outcome_of(FRAME + body)
    outcome_of(record(**{where: body}))


@pytest.mark.parametrize(
    "body",
    [
        b"\xff" * 1_000_000,
        b"\x80" * 1_000_000,
        b"\x00" * 1_000_000,
        record(attributes=long(2**62) + b"\x00" * 1_000_000)[len(FRAME) :],
        record(attributes=b"\x01\x00" * 500_000)[len(FRAME) :],
        record(raw=SOME + long(2**62))[len(FRAME) :],
    ],
    ids=["overlong", "endless", "zeros", "no-entries", "no-blocks", "huge-length"],
)
def test_hostile_sizes_cost_no_more_than_the_bytes_that_are_there(body: bytes) -> None:
    tracemalloc.start()
    began_s = time.process_time()
    assert outcome_of(FRAME + body) == "Poison"
    took_s, (_, most_bytes) = time.process_time() - began_s, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert took_s < 5
    assert most_bytes < 20 * len(body) + 1_000_000


def test_a_number_of_more_than_64_bits_is_poison() -> None:
    assert reason_of(record(sequence=b"\x80" * 10 + b"\x01")) == "undecodable"
