"""What a record's headers tell: CloudEvents 1.0 for Kafka, and W3C Trace Context."""

import re

import msgspec
import pytest

from schemas.event import MAX_TIME_US, MIN_TIME_US, EventType
from schemas.headers import cloudevents_headers, continue_trace, rfc3339
from tests.crafted import EVENT

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
GIVEN = f"00-{TRACE}-{SPAN}-01"
VALID = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[01]")


def test_the_headers_are_those_of_cloudevents_in_binary_mode() -> None:
    assert cloudevents_headers(EVENT, GIVEN) == [
        ("ce_specversion", b"1.0"),
        ("ce_id", EVENT.event_id.encode()),
        ("ce_source", b"/sources/asleep"),
        ("ce_type", b"sessionrelay.session_complete"),
        ("ce_time", b"2026-05-28T20:26:40Z"),
        ("content-type", b"application/avro"),
        ("traceparent", GIVEN.encode()),
    ]


@pytest.mark.parametrize("kind", EventType)
def test_the_type_is_told_in_lower_case(kind: EventType) -> None:
    told = dict(cloudevents_headers(msgspec.structs.replace(EVENT, type=kind), GIVEN))
    assert told["ce_type"] == f"sessionrelay.{kind.value.lower()}".encode()


def test_each_source_has_its_own_path() -> None:
    sources = ("asleep", "generic", "wüste")
    told = [
        dict(cloudevents_headers(msgspec.structs.replace(EVENT, source=name), GIVEN))["ce_source"]
        for name in sources
    ]
    assert told == [f"/sources/{name}".encode() for name in sources]


@pytest.mark.parametrize(
    ("time_us", "text"),
    [
        (MIN_TIME_US, "0001-01-01T00:00:00Z"),
        (MIN_TIME_US + 1, "0001-01-01T00:00:00.000001Z"),
        (-62_103_283_200_000_000, "0002-01-10T00:00:00Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (0, "1970-01-01T00:00:00Z"),
        (1, "1970-01-01T00:00:00.000001Z"),
        (500_000, "1970-01-01T00:00:00.500000Z"),
        (1_709_208_000_000_000, "2024-02-29T12:00:00Z"),
        (MAX_TIME_US, "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_times_are_rfc_3339_to_the_microsecond(time_us: int, text: str) -> None:
    assert rfc3339(time_us) == text


@pytest.mark.parametrize(
    ("incoming", "flags"),
    [
        (GIVEN, "01"),
        (f"00-{TRACE}-{SPAN}-00", "00"),
        (f"00-{TRACE}-{SPAN}-ff", "01"),
        (f"00-{TRACE}-{SPAN}-02", "00"),
        (f"cc-{TRACE}-{SPAN}-01", "01"),
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like", "01"),
        (f"01-{TRACE}-{SPAN}-01-", "01"),
    ],
)
def test_a_valid_trace_goes_on_under_a_new_span(incoming: str, flags: str) -> None:
    """Of the flags only `sampled` is defined, so only it is passed on."""
    sent = continue_trace(incoming)
    assert VALID.fullmatch(sent)
    _, trace, span, told = sent.split("-")
    assert (trace, told) == (TRACE, flags)
    assert span != SPAN


@pytest.mark.parametrize(
    "incoming",
    [
        None,
        "",
        "garbage",
        GIVEN.upper(),
        GIVEN[:-1],
        GIVEN + "\n",
        " " + GIVEN,
        GIVEN + "-extra",
        GIVEN + "0",
        GIVEN.replace("-", "_"),
        f"ff-{TRACE}-{SPAN}-01",
        f"cc-{TRACE}-{SPAN}-01.what",
        f"0x-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}g-{SPAN}-01",
        f"00-{TRACE[:-1]}٣-{SPAN}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-0G",
        "a" * 100_000,
    ],
)
def test_whatever_is_invalid_starts_a_new_sampled_trace(incoming: str | None) -> None:
    sent = continue_trace(incoming)
    assert VALID.fullmatch(sent)
    assert TRACE not in sent
    assert sent.endswith("-01")


def test_no_two_traces_or_spans_are_the_same() -> None:
    assert len({continue_trace(None)[3:35] for _ in range(100)}) == 100
    assert len({continue_trace(GIVEN)[36:52] for _ in range(100)}) == 100
