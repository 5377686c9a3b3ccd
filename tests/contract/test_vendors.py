"""What every vendor promises, however its payloads look: one suite over each one's sample."""

import json
from typing import Any

import pytest

from producers.delivery import InvalidDelivery, NotJson
from producers.pipeline import to_record
from producers.reading import Reading, read_items, redacting
from producers.redact import Redaction
from producers.sources import VENDORS
from producers.sources.json_object import MAX_DEPTH
from schemas.codec import decode, encode
from schemas.event import EventType, SessionEvent
from schemas.identity import event_id
from tests.contract.sample import DIRECTORY, Sample
from tests.deliveries import RECEIVED_US, as_body, context


@pytest.fixture(params=sorted(VENDORS))
def vendor(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def sample(vendor: str) -> Sample:
    return Sample.of(vendor)


def reading(vendor: str, body: bytes, *claims: str | None, keep_raw: bool = True) -> Reading:
    """As the relay reads a delivery."""
    known, around = VENDORS[vendor], context(*claims, source=vendor, keep_raw=keep_raw)
    redaction = Redaction(known.redact)
    normalise = redacting(known.normalise, redaction)
    if known.split is None:
        return Reading(list(normalise(body, around)), [])
    return read_items(
        known.split(body, 1_000), normalise, redaction, around, lambda event: to_record(event, "", "topic")
    )


def read(vendor: str, told: object, *claims: str | None, keep_raw: bool = True) -> SessionEvent:
    body = told if isinstance(told, bytes) else as_body(told)
    events, rejected = reading(vendor, body, *claims, keep_raw=keep_raw)
    assert rejected == []
    (event,) = events
    return event


def refused(vendor: str, told: object) -> InvalidDelivery:
    with pytest.raises(InvalidDelivery) as refusal:
        reading(vendor, told if isinstance(told, bytes) else as_body(told))
    assert refusal.value.problems
    return refusal.value


def test_each_vendor_has_a_sample() -> None:
    assert {path.stem for path in DIRECTORY.glob("*.json")} == set(VENDORS)


def test_it_says_what_it_sends(vendor: str, sample: Sample) -> None:
    known = VENDORS[vendor]
    assert known.name == vendor
    assert known.about.endswith(".")
    assert known.schemes
    assert EventType(sample.type) in known.occurred_at


def test_an_event_survives_the_codec(vendor: str, sample: Sample) -> None:
    event = read(vendor, sample.body)
    assert event.type == sample.type
    assert decode(encode(event)) == event


def test_an_event_knows_where_and_when_it_came_in(vendor: str, sample: Sample) -> None:
    event = read(vendor, sample.body)
    assert (event.source, event.tenant, event.received_at) == (vendor, "a-tenant", RECEIVED_US)
    assert event.normaliser >= 1
    assert event.event_id == event_id(event)


def test_raw_reads_as_the_same_event_or_is_not_kept(vendor: str, sample: Sample) -> None:
    event = read(vendor, sample.body)
    assert event.raw is not None
    around = context(source=vendor)._replace(part=str(sample.item[0]) if sample.item else "")
    (again,) = VENDORS[vendor].normalise(event.raw, around)
    assert again.event_id == event.event_id
    assert read(vendor, sample.body, keep_raw=False).raw is None


def test_the_same_facts_told_twice_are_the_same_event(vendor: str, sample: Sample) -> None:
    told = read(vendor, sample.body).event_id
    for again in (sample.body, sample.turned(), sample.same):
        assert read(vendor, again).event_id == told
    assert read(vendor, json.dumps(sample.body, indent=3, ensure_ascii=False).encode()).event_id == told


def test_unknown_fields_are_carried_and_change_no_identity(vendor: str, sample: Sample) -> None:
    event = read(vendor, sample.with_(never_heard_of={"x": [1]}, neither="😴", nor=-1e-7))
    assert event.event_id == read(vendor, sample.body).event_id
    assert event.attributes["never_heard_of"] == '{"x":[1]}'
    assert event.attributes["neither"] == "😴"
    assert float(event.attributes["nor"]) == -1e-7


def test_a_null_says_nothing(vendor: str, sample: Sample) -> None:
    event = read(vendor, sample.with_(never_heard_of=None), keep_raw=False)
    assert event == read(vendor, sample.body, keep_raw=False)


def test_what_is_missing_is_refused_by_name_or_not_needed(vendor: str, sample: Sample) -> None:
    item = json.loads(as_body(sample.body))
    for step in sample.item:
        item = item[step]
    for name in item:
        if name in sample.required:
            paths = [path for path, _ in refused(vendor, sample.without(name)).problems]
            assert any(path.endswith(name) for path in paths)
        else:
            read(vendor, sample.without(name))


def test_wrong_values_are_refused_by_name_each_and_all_at_once(vendor: str, sample: Sample) -> None:
    for path, value in sample.wrong.items():
        if value is not None:
            assert path.split(".")[-1] in str(refused(vendor, sample.changed({path: value})).problems)
    flat = {path: value for path, value in sample.wrong.items() if "." not in path}
    assert len(refused(vendor, sample.changed(flat)).problems) >= min(2, len(flat))


@pytest.mark.parametrize("number", [-1, -(2**63) - 1, 2**63, 2**64, 10**30, -1e308, 0.1, 10**400])
def test_odd_numbers_are_carried_or_refused_and_never_break_it(
    vendor: str, sample: Sample, number: float
) -> None:
    assert read(vendor, sample.with_(never_heard_of=number)).attributes["never_heard_of"]
    for name in {path.partition(".")[0] for path in sample.wrong}:
        try:
            (event,) = reading(vendor, as_body(sample.changed({name: number}))).events
            assert decode(encode(event)) == event
        except InvalidDelivery as refusal:
            told = refusal
        else:
            continue
        assert name in str(told.problems)


NOT_JSON = [
    b"",
    b" ",
    b"{",
    b"{} {}",
    b"{'a': 1}",
    b'\xef\xbb\xbf{"a": 1}',
    b'{"a": NaN}',
    b'{"a": Infinity}',
    b'{"a": "\xff"}',
    b'{"a": "\xed\xa0\x80"}',
    b'{"a": "\x00"}',
    b"\xff\xfe{\x00}\x00",
    b'{"a": 01}',
    b"[" * 100_000,
    b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
]


@pytest.mark.parametrize("body", NOT_JSON, ids=range(len(NOT_JSON)))
def test_what_is_not_json_is_told_apart(vendor: str, body: bytes) -> None:
    with pytest.raises(NotJson):
        reading(vendor, body)


@pytest.mark.parametrize("body", [b"null", b"[]", b'"text"', b"7", b"{}", b'{"n": 1e999}', b'{"n": 1}'])
def test_json_that_is_no_event_is_refused_with_problems(vendor: str, body: bytes) -> None:
    refused(vendor, body)


def hidden(sample: Sample, text: str) -> list[bytes]:
    """The sample with a text in places where nobody would look for it."""
    places = ({"x": text}, {f"a{text}b": 1}, {"x": [{"y": [text]}]}, {sample.user: text})
    return [as_body(sample.changed(dict(place))) for place in places]


@pytest.mark.parametrize("text", ["a\x00", "\ud800", "x\udc00\udc00y"])
def test_what_postgres_cannot_hold_is_refused_wherever_it_hides(
    vendor: str, sample: Sample, text: str
) -> None:
    for body in hidden(sample, text):
        assert len(refused(vendor, body).problems) == 1


def test_what_only_looks_like_it_is_carried(vendor: str, sample: Sample) -> None:
    for text in ("\\u0000", "\\ud800", "\U0001f634"):
        assert read(vendor, sample.with_(x=text)).attributes["x"] == text


def test_depth_up_to_the_limit_is_carried(vendor: str, sample: Sample) -> None:
    deep: Any = 1
    for _ in range(MAX_DEPTH - 1):
        deep = [deep]
    assert read(vendor, sample.with_(deep=deep)).attributes["deep"].count("[") == MAX_DEPTH - 1
    with pytest.raises((NotJson, InvalidDelivery)):
        reading(vendor, as_body(sample.with_(deep=[deep])))


def test_a_number_of_a_thousand_digits_is_carried_as_text(vendor: str, sample: Sample) -> None:
    body = as_body(sample.with_(n="N")).replace(b'"N"', b"7" * 1_000)
    assert read(vendor, body).attributes["n"] == "7" * 1_000


@pytest.mark.parametrize("user", ["", "x" * 256, 7, True, None, ["a"]])
def test_a_user_is_a_text_of_1_to_255_characters(vendor: str, sample: Sample, user: Any) -> None:
    problems = refused(vendor, sample.changed({sample.user: user})).problems
    assert any(path.endswith(sample.user) for path, _ in problems)


def test_ids_are_never_parsed(vendor: str, sample: Sample) -> None:
    odd = " ­😴/../%00'; drop table\n"
    assert read(vendor, sample.changed({sample.user: odd}), odd).user_id == odd


def test_a_claimed_user_that_differs_is_a_problem(vendor: str, sample: Sample) -> None:
    with pytest.raises(InvalidDelivery, match="1 problems"):
        reading(vendor, as_body(sample.body), "somebody-else")


def test_problems_repeat_no_value(vendor: str, sample: Sample) -> None:
    secret = "a-value-that-must-not-be-repeated"
    told = sample.changed(
        {name: [secret] for name in sample.wrong if "." not in name} | {sample.user: [secret]}
    )
    refusal = refused(vendor, told)
    assert secret not in str(refusal) + str(refusal.problems)


def test_nothing_is_kept_of_what_the_vendor_redacts(vendor: str, sample: Sample) -> None:
    secret = "a-token-in-no-event"
    names = [path for path in VENDORS[vendor].redact if "." not in path]
    event = read(vendor, sample.changed(dict.fromkeys(names, secret)))
    assert secret.encode() not in encode(event)
    assert all(name in event.attributes.get("raw.redacted", "") for name in names)
