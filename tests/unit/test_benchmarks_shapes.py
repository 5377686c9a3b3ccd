"""The shapes are fixed: a change here makes former results incomparable."""

from itertools import islice
from pathlib import Path

from benchmarks import wrk
from benchmarks.shapes import narrow, night
from producers.pipeline import to_record
from schemas.event import EventType
from schemas.headers import continue_trace
from session_relay.simulate.sender import Credentials
from tests.deliveries import API_KEY, SIGNING_KEY, signed


def test_narrow_events_are_of_the_size_that_is_told() -> None:
    events = list(islice(narrow(), 200))
    records = [to_record(event, continue_trace(None), "session.events") for event in events]
    assert {len(record.value) for record in records} == {114}
    assert {len(record.key or b"") for record in records} == {17}
    assert len({event.session_id for event in events}) == 200


def test_nights_carry_all_that_a_vendor_tells() -> None:
    events = list(islice(night(), 200))
    assert {event.type for event in events} == {EventType.SESSION_COMPLETE}
    assert {len(event.sleep_stages or b"") for event in events} == {960}
    assert all(event.statistics and event.statistics.time_in_rem is not None for event in events)
    assert all(2_000 < len(event.raw or b"") < 6_000 for event in events)
    assert len({event.session_id for event in events}) == 200


def test_every_run_measures_the_same_events() -> None:
    for shape in (narrow, night):
        assert list(islice(shape(), 70)) == list(islice(shape(), 70))


def test_bodies_are_all_different_and_about_600_bytes() -> None:
    bodies = wrk.bodies()
    assert len(set(bodies)) == 200
    assert 590 <= sum(map(len, bodies)) / 200 <= 640


def test_the_script_holds_each_body_with_its_proofs_for_nobody_else_to_read(tmp_path: Path) -> None:
    path = tmp_path / "deliveries.lua"
    wrk.write_script(path, Credentials(api_key=API_KEY, signing_key=SIGNING_KEY))
    assert path.stat().st_mode & 0o077 == 0
    text = path.read_text()
    for body in wrk.bodies():
        assert f"[==[{body.decode()}]==]" in text
        assert all(f"[==[{value}]==]" in text for value in signed(body).values())


def test_a_script_with_a_rate_asks_each_request_to_wait_for_its_place(tmp_path: Path) -> None:
    path = tmp_path / "paced.lua"
    credentials = Credentials(api_key=API_KEY, signing_key=SIGNING_KEY)
    wrk.write_script(path, credentials)
    assert "delay = function()" not in path.read_text()
    wrk.write_script(path, credentials, rate=4_000)
    assert "due = (due or now_ms) + 0.250000\n" in path.read_text()
