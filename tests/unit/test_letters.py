"""Whatever stands in the dead-letter topic becomes a row: nothing that its headers say can prevent it."""

from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from consumers.batch import Headers
from consumers.letters import TYPES, Letter, Origin, Told, letter_of

HERE = Origin("t.dlq", UUID(int=1), 2, 3)
ORIGIN_ID = "00000000-0000-0000-0000-000000000009"
ORIGIN: Headers = [
    ("dlq-origin-topic", b"t"),
    ("dlq-origin-topic-id", ORIGIN_ID.encode()),
    ("dlq-origin-partition", b"4"),
    ("dlq-origin-offset", b"5"),
]
NAMES = st.sampled_from([name for name, _ in ORIGIN] + ["dlq-reason", "dlq-detail", "dlq-failed-at"])
VALUES = st.none() | st.binary(max_size=40) | st.text(max_size=9).map(str.encode)


def origin_of(letter: Letter) -> Origin:
    return Origin(letter.origin_topic, letter.origin_topic_id, letter.origin_partition, letter.origin_offset)


def test_what_the_sink_parks_is_known_by_its_origin() -> None:
    headers: Headers = [("ce_source", b"/sources/asleep"), *ORIGIN, ("dlq-redrives", b"2")]
    headers += [("dlq-stage", b"sink"), ("dlq-reason", b"rejected"), ("dlq-detail", b"why")]
    headers += [("dlq-failed-at", b"2026-11-21T10:00:00+00:00")]
    letter = letter_of(Told(b"k", b"v", headers, 7), HERE)
    assert origin_of(letter) == Origin("t", UUID(ORIGIN_ID), 4, 5)
    assert (letter.stage, letter.reason, letter.detail, letter.redrives) == ("sink", "rejected", "why", 2)
    assert (letter.source, letter.tenant) == ("asleep", None)
    assert letter.failed_at == datetime(2026, 11, 21, 10, tzinfo=UTC)
    assert (letter.key, letter.value, letter.value_sha256) == (b"k", b"v", sha256(b"v").digest())
    assert list(zip(letter.header_names, letter.header_values, strict=True)) == headers
    assert (letter.kafka_topic_id, letter.kafka_partition, letter.kafka_offset) == HERE[1:]


def test_what_the_relay_parks_has_its_own_place_for_origin() -> None:
    headers: Headers = [("dlq-stage", b"relay"), ("dlq-source", b"garmin"), ("dlq-tenant", b"acme")]
    letter = letter_of(Told(None, b"v", headers, 1_000), HERE)
    assert origin_of(letter) == HERE
    assert (letter.stage, letter.source, letter.tenant) == ("relay", "garmin", "acme")
    assert letter.failed_at == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)


def test_any_part_of_an_origin_that_is_bad_makes_its_own_place_the_origin() -> None:
    bad: tuple[bytes | None, ...] = (None, b"", b"-1", b"x", b"9" * 30, "²".encode(), b"\xff")
    for index, (name, _) in enumerate(ORIGIN):
        for value in bad:
            if name == "dlq-origin-topic" and value:
                continue  # a name is a name
            spoiled = [*ORIGIN[:index], (name, value), *ORIGIN[index + 1 :]]
            assert origin_of(letter_of(Told(None, None, spoiled, 0), HERE)) == HERE, (name, value)


@given(
    st.lists(st.tuples(NAMES | st.text(max_size=5), VALUES), max_size=12),
    st.none() | st.binary(max_size=20),
    st.integers(-(2**63), 2**63 - 1),
)
def test_every_record_has_a_row_that_postgres_can_hold(
    headers: Headers, value: bytes | None, timestamp_ms: int
) -> None:
    letter = letter_of(Told(value, value, headers, timestamp_ms), HERE)
    assert len(letter) == len(TYPES)
    texts = [letter.stage, letter.reason, letter.detail, letter.origin_topic, *letter.header_names]
    for text in [*texts, letter.source or "", letter.tenant or ""]:
        assert "\x00" not in text
        text.encode()
    assert 0 <= letter.origin_partition < 2**31
    assert 0 <= letter.origin_offset < 2**63
    assert 0 <= letter.redrives < 2**31
    assert letter.failed_at.tzinfo is UTC
    assert letter.value_sha256 == sha256(value or b"").digest()
