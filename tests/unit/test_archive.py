"""The files of an archive, and where they lie, without a topic: what goes in comes out."""

import random
from pathlib import Path
from typing import Any
from uuid import UUID

import fastavro
import pytest
from avro.datafile import DataFileReader
from avro.io import DatumReader
from confluent_kafka import Message
from hypothesis import given
from hypothesis import strategies as st

from config.errors import RelayError, SettingsError, Unavailable
from consumers.archive.archiving import Archiving, wanted
from consumers.archive.checking import problems
from consumers.archive.container import Damaged, Filling, records_of
from consumers.archive.manifest import Manifest, found, load, save
from consumers.archive.place import Place, file_errors
from consumers.batch import headers_of
from consumers.replay.held import NO_END, Held
from schemas.codec import encode, frame_of
from schemas.versions import VERSIONS
from schemas.writer import writer_of
from tests.archives import DAMAGE
from tests.events import NOW_US, made
from tests.frozen_clock import FrozenClock

TOPIC_ID = UUID("01234567-89ab-4cde-8f01-23456789abcd")
BYTES = st.none() | st.binary(max_size=40)
HEADERS = st.lists(st.tuples(st.text(st.characters(codec="utf-8"), max_size=9), BYTES), max_size=4)
TIMES = st.tuples(st.just(0), st.just(-1)) | st.tuples(st.just(1), st.integers(0, 2**63 - 1))
"""Whatever Kafka takes, years beyond the calendar too."""


def message(n: int = 0, **fields: Any) -> Message:
    return Message(
        **{
            "topic": "t",
            "partition": 0,
            "offset": n,
            "headers": [],
            "timestamp": (1, NOW_US // 1000),
            **fields,
        }
    )


def filled(place: Place, *messages: Message) -> Any:
    filling = Filling(place, 0, "2026-05-28", 0, None)
    for n, one in enumerate(messages):
        filling.add(n, one)
    return filling.finish()


def read(place: Place, piece: Any) -> list[Any]:
    with place.opened(piece.path) as file:
        return list(records_of(file, 0))


@given(st.lists(st.tuples(BYTES, BYTES, HEADERS, TIMES), min_size=1, max_size=5))
def test_a_record_comes_out_as_it_went_in(contents: list[tuple[Any, Any, Any, Any]]) -> None:
    place = Place("memory://round")
    messages = [message(key=k, value=v, headers=h, timestamp=t) for k, v, h, t in contents]
    records = read(place, filled(place, *messages))
    got = [(one.key(), one.value(), headers_of(one), one.timestamp()) for one in records]
    assert got == [(one.key(), one.value(), headers_of(one), one.timestamp()) for one in messages]
    assert [one.offset() for one in records] == list(range(len(messages)))


def test_readers_get_events_of_every_version_in_the_newest(tmp_path: Path) -> None:
    place = Place(str(tmp_path))
    event = made(session="night")
    newer = b"\x00" + (1_900_000_999).to_bytes(4) + encode(event)[5:]
    first = frame_of(VERSIONS[1].schema_id) + writer_of(VERSIONS[1].schema)(event)
    values = [encode(event), first, b"poison", newer, None]
    piece = filled(place, *(message(n, value=value) for n, value in enumerate(values)))
    with (tmp_path / piece.path).open("rb") as file:
        records: list[Any] = list(fastavro.reader(file))
        file.seek(0)
        by_apache: Any = DataFileReader(file, DatumReader())
        assert [record["value"] for record in by_apache] == values
    told = [record["event"] and record["event"]["session_id"] for record in records]
    assert told == ["night", "night", None, None, None]
    assert [record["value"] for record in records] == values
    assert (piece.records, piece.unreadable) == (5, 3)


def test_a_value_that_is_told_twice_costs_little(tmp_path: Path) -> None:
    """Of noise, which nothing else makes smaller."""
    chance = random.Random(1)
    values = [
        encode(made(session=f"s-{n}", stages=bytes(chance.choices(range(4), k=900)))) for n in range(400)
    ]
    place = Place(str(tmp_path))
    twice = filled(place, *(message(n, value=value) for n, value in enumerate(values)))
    once = filled(place, *(message(n, value=b"\x01" + value[1:]) for n, value in enumerate(values)))
    assert twice.size_bytes < 1.1 * once.size_bytes


@pytest.mark.parametrize("cut", [0, 3, 40, 2_000, -1, -17])
def test_half_a_file_is_damaged_not_short(tmp_path: Path, cut: int) -> None:
    place = Place(str(tmp_path))
    piece = filled(place, *(message(n, value=encode(made(session=f"s-{n}"))) for n in range(900)))
    path = tmp_path / piece.path
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(Damaged):
        read(place, piece)


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_names_its_file(tmp_path: Path, kind: str) -> None:
    place = Place(str(tmp_path))
    messages = [message(n, value=encode(made(session=f"s-{n}"))) for n in range(30)]
    manifest = archived(tmp_path, *messages, most_bytes=1_000).manifest
    assert list(problems(place, manifest, lambda _: None)) == []
    damage, words = DAMAGE[kind]
    path = damage(tmp_path)
    ((name, problem),) = problems(place, manifest, lambda _: None)
    assert (place.told(name), words in problem) == (path, True)


def test_a_bucket_is_a_place_too() -> None:
    place = Place("memory://bucket/archive")
    manifest = Manifest(topic="t", topic_id=TOPIC_ID, files=[filled(place, message(value=b"x"))])
    save(place, manifest)
    assert list(problems(place, found(place), lambda _: None)) == []
    abandoned = Filling(place, 0, "2026-05-29", 1, None)
    abandoned.abandon()
    assert {name.rpartition("/")[2] for name in place.sizes()} == {"manifest.json", f"{0:020}.avro"}


def test_a_password_in_a_url_is_refused_and_not_told() -> None:
    with pytest.raises(SettingsError) as refused:
        Place("ftp://me:hush@host/archive")
    assert "hush" not in str(refused.value)


def of_botocore(name: str) -> Exception:
    """As S3's library raises it, which is not installed here."""
    made_of: type[Exception] = type(name, (Exception,), {"__module__": "botocore.exceptions"})
    return made_of()


@pytest.mark.parametrize(
    ("raised", "error", "words"),
    [
        (NotImplementedError(), RelayError, "can't write it: NotImplementedError"),
        (OSError(28, "No space left on device"), RelayError, "no room is left"),
        (PermissionError(13, "Permission denied"), RelayError, "Permission denied"),
        (TimeoutError(), Unavailable, "TimeoutError"),
        (of_botocore("NoCredentialsError"), RelayError, "NoCredentialsError"),
        (of_botocore("EndpointConnectionError"), Unavailable, "EndpointConnectionError"),
        (ZeroDivisionError("ours"), ZeroDivisionError, "ours"),
    ],
)
def test_what_places_raise_is_told(raised: Exception, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as found_error, file_errors("write it"):
        raise raised
    assert type(found_error.value) is error


def test_only_one_process_writes_to_a_folder(tmp_path: Path) -> None:
    place = Place(str(tmp_path / "new"))
    with place.alone(), pytest.raises(RelayError, match="another process"), Place(place.path).alone():
        pass
    with place.alone():
        pass


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('"path": "partition=0', '"path": "../partition=0'),
        ('"end": 1', '"end": 0'),
        ('"format": 1', '"format": 2'),
        ('"files"', '"fils"'),
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused(tmp_path: Path, one: str, other: str) -> None:
    place = Place(str(tmp_path))
    save(place, Manifest(topic="t", topic_id=TOPIC_ID, files=[filled(place, message(value=b"x"))]))
    path = tmp_path / "manifest.json"
    whole = path.read_text("utf-8")
    assert load(place) is not None
    assert one in whole
    path.write_text(whole.replace(one, other))
    with pytest.raises(RelayError, match=r"manifest.json"):
        load(place)


def test_a_later_format_is_told_as_such_whatever_fields_it_has(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"format": 2, "files": {}, "of_a_later_day": true}')
    with pytest.raises(RelayError, match="has format 2, and this version knows 1: upgrade"):
        load(Place(str(tmp_path)))


def test_a_header_whose_types_were_changed_is_damage(tmp_path: Path) -> None:
    (piece,) = archived(tmp_path, message(value=b"x")).manifest.files
    path = tmp_path / piece.path
    whole = path.read_bytes()
    assert b'"long"' in whole
    path.write_bytes(whole.replace(b'"long"', b'"null"'))
    with path.open("rb") as file, pytest.raises(Damaged, match="SchemaResolutionError"):
        list(records_of(file, 0))


def test_a_url_that_is_none_is_wrong_usage() -> None:
    with pytest.raises(SettingsError, match="can't be reached"):
        Place("s3://[x/y")


def archived(tmp_path: Path, *messages: Message, most_bytes: int = 2**20) -> Archiving:
    place, manifest = Place(str(tmp_path)), Manifest(topic="t", topic_id=TOPIC_ID)
    archiving = Archiving(place, manifest, FrozenClock(NOW_US), None, most_bytes=most_bytes)
    for n, one in enumerate(messages):
        archiving.take(0, n, n, one)
    archiving.finish()
    return archiving


def test_a_day_is_never_before_the_last_and_never_after_today(tmp_path: Path) -> None:
    """Clocks of publishers differ: files stay runs of offsets."""
    day_ms, now_ms = 86_400_000, NOW_US // 1000
    times = [(1, now_ms - 2 * day_ms), (1, now_ms - day_ms), (1, now_ms - 2 * day_ms), (0, -1), (1, 2**62)]
    done = archived(tmp_path, *(message(n, timestamp=time) for n, time in enumerate(times)))
    runs = [(piece.day, piece.begin, piece.end) for piece in done.manifest.files]
    assert runs == [("2026-05-26", 0, 1), ("2026-05-27", 1, 4), ("2026-05-28", 4, 5)]


def test_a_file_that_is_large_enough_ends(tmp_path: Path) -> None:
    done = archived(tmp_path, *(message(n, value=b"x" * 100) for n in range(10)), most_bytes=300)
    assert [piece.end for piece in done.manifest.files] == [3, 6, 9, 10]


def test_a_log_is_whole_only_without_a_hole() -> None:
    def held(*spans: tuple[int, int, int], first: int = 0) -> Held:
        return Held(topic="t", topic_id=TOPIC_ID, first={0: first}, end={0: 9}, spans=spans)

    assert held().whole
    assert not held(first=1).whole
    assert held((0, 0, 5), (0, 5, NO_END)).whole
    assert not held((0, 0, 5), (0, 6, NO_END)).whole


def test_what_was_archived_and_removed_since_is_not_missing() -> None:
    one = Held(topic="t", topic_id=TOPIC_ID, first={0: 4}, end={0: 9})
    assert wanted(one, None).removed == {}
    assert wanted(one, None).ranges == {0: (4, 9)}
