"""Ids that a registry gave out: read as our event, poison, an outage, or a reason to stop, never a guess."""

import io
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import fastavro
import msgspec
import pytest
from hypothesis import given, settings

from config.errors import Poison, RegistryUnavailable, StoppedForSafety
from config.registry_section import SchemaRegistrySettings
from schemas.codec import decode, encode, frame_of
from schemas.event import EventType, SessionEvent, Statistics
from schemas.foreign import ForeignSchemas
from schemas.registry import Registry
from schemas.versions import LATEST, PINNED_IDS, VERSIONS, plain
from tests.crafted import ADDED, EVENT, record_of
from tests.fake_registry import FakeRegistry, said
from tests.valid_events import events

TOPIC = "session.events"
SUBJECT = f"{TOPIC}-value"


@pytest.fixture(scope="module")
def shared() -> Iterator[FakeRegistry]:
    with FakeRegistry.serving() as serving:
        yield serving


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry.serving() as serving:
        yield serving


def settings_of(fake: FakeRegistry, **told: Any) -> SchemaRegistrySettings:
    return SchemaRegistrySettings.model_validate({"url": fake.url, "attempts": 1, **told})


class Passing:
    """Seconds that a test lets pass."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


Foreign = Callable[..., ForeignSchemas]


@pytest.fixture(scope="module")
def foreign() -> Iterator[Foreign]:
    """Makes resolvers of a registry's ids, whose connections are closed at the end."""
    with ExitStack() as stack:
        yield lambda fake, passing=None: ForeignSchemas(
            stack.enter_context(Registry(settings_of(fake))), passing or Passing()
        )


def changed(*fields: dict[str, Any], **top: Any) -> str:
    """The newest schema with other or more fields, and other names."""
    schema = json.loads(LATEST.text) | top
    others = {field["name"]: field for field in fields}
    kept = [others.pop(field["name"], field) for field in schema["fields"]]
    return json.dumps(schema | {"fields": kept + list(others.values())})


def written(schema: str, schema_id: int, event: SessionEvent = EVENT, **more: Any) -> bytes:
    """An event as somebody else writes it with a schema."""
    told = fastavro.schemaless_reader(io.BytesIO(encode(event)[5:]), plain(LATEST.text), None)
    body = io.BytesIO()
    assert isinstance(told, dict)
    fastavro.schemaless_writer(body, plain(schema), told | more)
    return frame_of(schema_id) + body.getvalue()


@pytest.mark.parametrize("number", sorted(VERSIONS))
def test_our_versions_are_read_under_a_registrys_ids(
    foreign: Foreign, fake: FakeRegistry, number: int
) -> None:
    schema_id = fake.add(SUBJECT, json.dumps(json.loads(VERSIONS[number].text)))  # as a registry may reformat
    value = frame_of(schema_id) + record_of(number)[5:]
    later = {name: None for version, names in ADDED.items() if version > number for name in names}
    resolve = foreign(fake)
    for _ in range(3):
        event = decode(value, resolve)
        assert {name: getattr(event, name) for name in later} == later
        assert event.event_id == EVENT.event_id
    assert resolve(schema_id) is VERSIONS[number].read
    assert fake.asked == [f"GET /schemas/ids/{schema_id}"]


STATISTICS = next(
    field["type"] for field in json.loads(LATEST.text)["fields"] if field["name"] == "statistics"
)
FIGURES = Statistics.__struct_fields__
MORE = changed(
    {"name": "mood", "type": ["null", "string"], "default": None},
    {
        "name": "type",
        "default": "UNKNOWN",
        "type": {
            "type": "enum",
            "name": "EventType",
            "default": "UNKNOWN",
            "symbols": ["SESSION_SHARED", *(kind.value for kind in EventType)],
        },
    },
)


@settings(max_examples=30)
@given(event=events())
def test_a_later_schema_is_read_as_ours(foreign: Foreign, shared: FakeRegistry, event: SessionEvent) -> None:
    """Whose symbols stand in another order, and who tells more."""
    schema_id = shared.add(SUBJECT, MORE)
    resolve = foreign(shared)
    assert decode(written(MORE, schema_id, event, mood="calm"), resolve) == event
    shared_type = decode(written(MORE, schema_id, event, type="SESSION_SHARED"), resolve)
    assert shared_type.type is EventType.UNKNOWN


def test_whatever_type_another_adds_is_passed_by(foreign: Foreign, fake: FakeRegistry) -> None:
    place = {"type": "fixed", "name": "Place", "size": 3}
    theirs = changed(
        {"name": "moods", "type": {"type": "array", "items": {"type": "map", "values": "float"}}},
        {"name": "place", "type": place},
        {"name": "left", "type": ["boolean", "sessionrelay.Place", "string"]},
        {"name": "places", "type": {"type": "array", "items": "sessionrelay.Place"}},
    )
    told: dict[str, Any] = {
        "moods": [{"a": 0.5}, {}],
        "place": b"abc",
        "left": b"def",
        "places": [b"ghi", b"jkl"],
    }
    value = written(theirs, fake.add(SUBJECT, theirs), **told)
    assert decode(value, foreign(fake)) == EVENT


def test_texts_and_bytes_are_read_as_ours_and_whole_figures_as_numbers(
    foreign: Foreign, fake: FakeRegistry
) -> None:
    """Avro resolves them with each other; other languages like to write the one for the other."""
    figures = json.loads(json.dumps(STATISTICS).replace('"double"', '"long"'))
    theirs = changed(
        {"name": "user_id", "type": {"type": "bytes", "avro.java.string": "String"}},
        {"name": "session_id", "type": ["bytes", "null"]},
        {"name": "sleep_stages", "type": ["null", "string"]},
        {"name": "attributes", "type": {"type": "map", "values": "bytes"}},
        {"name": "statistics", "type": figures},
    )
    event = msgspec.structs.replace(EVENT, sleep_stages=b"\x00\x01", attributes={"device": "ring-ß"})
    value = written(
        theirs,
        fake.add(SUBJECT, theirs),
        event,
        user_id=EVENT.user_id.encode(),
        session_id=str(EVENT.session_id).encode(),
        sleep_stages="\x00\x01",
        attributes={"device": "ring-ß".encode()},
        statistics=dict.fromkeys(FIGURES, 1),
    )
    read = decode(value, foreign(fake))
    assert read == msgspec.structs.replace(
        event, statistics=msgspec.convert(dict.fromkeys(FIGURES, 1), Statistics)
    )
    assert read.statistics is not None
    assert type(read.statistics.sleep_efficiency) is float


def test_pinned_ids_are_never_asked_for(foreign: Foreign, fake: FakeRegistry) -> None:
    resolve = foreign(fake)
    assert decode(encode(EVENT), resolve) == EVENT
    with pytest.raises(StoppedForSafety):
        decode(frame_of(PINNED_IDS[500]) + encode(EVENT)[5:], resolve)
    assert fake.asked == []


def test_an_id_that_the_registry_does_not_know_is_poison_and_is_asked_for_again_later(
    foreign: Foreign,
    fake: FakeRegistry,
) -> None:
    passing = Passing()
    resolve = foreign(fake, passing)
    for _ in range(3):
        with pytest.raises(Poison, match="knows no schema id 4711") as poison:
            resolve(4711)
        assert poison.value.reason == "unknown_schema"
    assert len(fake.asked) == 1
    assert fake.add(SUBJECT, LATEST.text) == 4711
    passing.now_s += 60
    assert resolve(4711) is LATEST.read


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        (changed(name="Other"), "AVRO"),
        (changed(namespace="elsewhere"), "AVRO"),
        ('"string"', "AVRO"),
        ('["null", "string"]', "AVRO"),
        ("message SessionEvent {}", "PROTOBUF"),
        ("{}", "JSON"),
    ],
)
def test_another_full_name_is_poison(foreign: Foreign, fake: FakeRegistry, schema: str, kind: str) -> None:
    with pytest.raises(Poison) as poison:
        foreign(fake)(fake.add(SUBJECT, schema, kind))
    assert poison.value.reason == "unknown_schema"


TREE: dict[str, Any] = {
    "type": "record",
    "name": "Tree",
    "fields": [{"name": "in", "type": ["null", "Tree"]}],
}
DEEP: Any = "string"
for _ in range(30):
    DEEP = {"type": "array", "items": DEEP}
DEEPEST: Any = "string"
for _ in range(200):
    DEEPEST = {"type": "record", "name": f"In{_}", "fields": [{"name": "f", "type": DEEPEST}]}
DOUBLED: list[dict[str, Any]] = [{"name": "b0", "type": {"type": "fixed", "name": "B0", "size": 1}}]
for _ in range(1, 30):
    pair = [{"name": side, "type": f"sessionrelay.B{_ - 1}"} for side in "lr"]
    DOUBLED.append({"name": f"b{_}", "type": {"type": "record", "name": f"B{_}", "fields": pair}})
NO_NAMESPACE = {"type": "enum", "name": "Z", "namespace": "", "symbols": ["A"]}


@pytest.mark.parametrize(
    "schema",
    [
        changed({"name": "user_id", "type": "long"}),
        changed({"name": "occurred_at", "type": {"type": "long", "logicalType": "timestamp-millis"}}),
        changed({"name": "moods", "type": {"type": "array", "items": "null"}, "default": []}),
        changed({"name": "tree", "type": ["null", TREE], "default": None}),
        changed({"name": "deep", "type": DEEP, "default": []}),
        changed({"name": "deepest", "type": ["null", DEEPEST], "default": None}),
        changed(*DOUBLED),
        changed({"name": "a", "type": NO_NAMESPACE}, {"name": "b", "type": {"type": "array", "items": "Z"}}),
    ],
    ids=[
        "other-type",
        "other-unit",
        "billions-in-a-byte",
        "recursive",
        "deep",
        "deepest",
        "doubled",
        "no-namespace",
    ],
)
def test_our_event_in_a_form_that_cannot_be_read_stops_for_a_person(
    foreign: Foreign, fake: FakeRegistry, schema: str
) -> None:
    """It is not poison: a newer version wrote it, as with a pinned id."""
    with pytest.raises(StoppedForSafety, match="a newer"):
        foreign(fake)(fake.add(SUBJECT, schema))


def test_an_outage_decides_nothing_and_is_not_remembered(foreign: Foreign, fake: FakeRegistry) -> None:
    schema_id = fake.add(SUBJECT, LATEST.text)
    resolve = foreign(fake)
    fake.misbehaving = [said(503, b""), said(200, b'{"schema": "{"}')]
    for _ in range(2):
        with pytest.raises(RegistryUnavailable):
            resolve(schema_id)
    assert resolve(schema_id) is LATEST.read
