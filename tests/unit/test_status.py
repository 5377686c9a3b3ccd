"""Figures of a flow from what sidecars told at two looks."""

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from threading import Thread

import pytest
from rich.console import Console

from config.errors import SettingsError
from config.sections import MetricsSettings
from session_relay.commands.status import _address
from session_relay.status.attention import notices
from session_relay.status.figures import Flow
from session_relay.status.shown import shown
from session_relay.status.sidecars import Sidecars, Told
from tests.docs.source_tree import ROOT
from tests.pictures import STATUS, picture
from tests.ports import free_ports

RELAY, SINK, SECOND = "http://127.0.0.1:9101", "http://127.0.0.1:9102", "http://127.0.0.1:9103"


def told(url: str, role: str, at_s: float, *samples: tuple[str, Mapping[str, str], float]) -> Told:
    found: dict[str, list[tuple[Mapping[str, str], float]]] = {}
    for name, labels, value in samples:
        found.setdefault(name, []).append((labels, value))
    return Told(url=url, at_s=at_s, role=role, version="0.1.0", samples=found)


def relay(at_s: float, acknowledged: float, spooled: float, invalid: float, **gauges: float) -> Told:
    known = {"kafka_producer_up": 1.0, "relay_spool_room_bytes": float("nan")} | gauges
    events = {"acknowledged": acknowledged, "spooled": spooled, "invalid": invalid}
    return told(
        RELAY,
        "relay",
        at_s,
        *(("relay_events_total", {"source": "s", "outcome": name}, value) for name, value in events.items()),
        *((name, {}, value) for name, value in known.items()),
    )


def sink(url: str, at_s: float, written: float, *, breaker: float = 0, **gauges: float) -> Told:
    return told(
        url,
        "sink",
        at_s,
        ("sink_records_total", {"outcome": "written"}, written),
        ("sink_records_total", {"outcome": "stale"}, 1),
        ("breaker_state", {"name": "postgres"}, breaker),
        *((name, {}, value) for name, value in gauges.items()),
    )


def flow(before: list[Told], after: list[Told]) -> Flow:
    return Flow.between(before, after)


def test_rates_are_over_the_time_between_the_looks() -> None:
    found = flow([relay(10, 100, 0, 5)], [relay(14, 140, 20, 9)]).relay
    assert found is not None
    assert (found.accepted_per_s, found.acknowledged_per_s, found.refused_per_s) == (15, 10, 1)
    assert (found.accepted, found.kafka_up, found.spool_room_bytes) == (160, True, None)


def test_several_sinks_are_one_stage() -> None:
    """Sums of what each does, the worst of what all share."""
    before = [sink(SINK, 0, 10), sink(SECOND, 0, 20)]
    after = [
        sink(SINK, 2, 14, sink_lag_records=3, dead_letters_open=7, sink_oldest_unwritten_seconds=1),
        sink(SECOND, 2, 30, breaker=2, sink_lag_records=4, dead_letters_open=7),
    ]
    found = flow(before, after).sink
    assert found is not None
    assert (found.written_per_s, found.records_per_s) == (7, 7)
    assert (found.lag_records, found.dead_letters_open, found.oldest_unwritten_s) == (7, 7, 1)
    assert found.breakers == {"postgres": "open"}
    assert found.outcomes["written"] == 44


def test_a_process_that_started_anew_counts_from_nothing() -> None:
    found = flow([sink(SINK, 0, 1_000)], [sink(SINK, 2, 8)]).sink
    assert found is not None
    assert found.written_per_s == 4


def test_a_process_that_was_not_there_before_has_no_rate_yet() -> None:
    found = flow([], [sink(SINK, 2, 8)])
    assert found.sink is not None
    assert (found.sink.written_per_s, found.sink.outcomes["written"]) == (0, 8)
    assert (found.relay, found.backfill) == (None, None)


def test_the_percentile_is_of_what_came_between_the_looks() -> None:
    """As Prometheus reckons: 100 new ones, of which the 95th lies at half of the bucket from 1 s to 3 s."""

    def look(at_s: float, counts: Mapping[str, float]) -> Told:
        buckets = (
            ("event_age_seconds_bucket", {"stage": "committed", "le": le}, n) for le, n in counts.items()
        )
        return told(SINK, "sink", at_s, *buckets)

    before = look(0, {"1": 1_000, "3": 1_000, "+Inf": 1_000})
    found = flow([before], [look(1, {"1": 1_090, "3": 1_100, "+Inf": 1_100})]).sink
    assert found is not None
    assert found.committed_p95_s == pytest.approx(2)
    silent = flow([before], [replace(before, at_s=1)]).sink
    assert silent is not None
    assert silent.committed_p95_s is None


def test_what_needs_a_person_is_named_with_a_page_that_exists() -> None:
    sick = flow(
        [],
        [
            relay(1, 0, 0, 0, kafka_producer_up=0, relay_spool_events=9, relay_spool_set_aside_events=1),
            sink(SINK, 1, 0, breaker=1, sink_storm_ratio=0.3, sink_gap_records_total=2, dead_letters_open=1),
        ],
    )
    found = notices(sick)
    assert [notice.sentence for notice in found] == [
        "the relay is not connected to Kafka",
        "Kafka refused spooled events for good",
        "the breaker around Postgres is open",
        "many records can't be read",
        "the log lacked records",
        "dead letters are open",
    ]
    silent = Told(url=SINK, at_s=1, problem="does not answer")
    unready = replace(sink(SINK, 1, 0), problem="kafka: away")
    assert [one.sentence for one in notices(flow([], [relay(1, 0, 0, 0), silent]))] == ["no sink answers"]
    assert [one.sentence for one in notices(flow([], [relay(1, 0, 0, 0), unready]))] == [
        "a sink is not ready"
    ]
    for others in ([relay(1, 0, 0, 0)], [silent]):  # nobody asked for one, or nobody knows what it is
        assert notices(flow([], others)) == []
    late = notices(flow([], [relay(1, 0, 0, 0, relay_spool_events=9)])) + notices(
        flow([], [sink(SINK, 1, 0, sink_oldest_unwritten_seconds=61)])
    )
    assert len(late) == 2
    assert [notice.page for notice in found + late if not (ROOT / notice.page).is_file()] == []
    assert notices(flow([], [relay(1, 0, 0, 0), sink(SINK, 1, 0)])) == []


def test_json_has_no_numbers_that_json_lacks() -> None:
    found = flow([relay(0, 0, 0, 0)], [relay(1, 1, 0, 0), Told(url=SINK, at_s=1, problem="does not answer")])
    text = json.dumps(found.as_json(), allow_nan=False)
    assert json.loads(text)["relay"]["accepted_per_s"] == 1
    assert [role["answers"] for role in json.loads(text)["roles"]] == [True, False]
    assert not found.is_whole


def test_a_problem_is_shown_and_its_markup_is_not_obeyed() -> None:
    silent = Told(url="http://127.0.0.1:1/[red]", at_s=1, problem="does not answer")
    console = Console(file=StringIO(), width=100, record=True)
    console.print(shown(flow([], [silent, replace(relay(1, 0, 0, 0), weak={"redis": "gone"})])))
    text = console.export_text()
    assert "[red]" in text
    assert "does not answer" in text
    assert "ready; redis: gone" in text


@contextmanager
def answering(answers: Mapping[str, tuple[int, str]], port: int = 0) -> Iterator[str]:
    """A server that gives these answers by path."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, text = answers.get(self.path, (404, ""))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(
    "answers",
    [
        {},
        {"/metrics": (200, "not { metrics"), "/readyz": (200, "{}")},
        {"/metrics": (200, "up 1\n"), "/readyz": (200, "{}")},
        {"/metrics": (200, 'build_info{role="sink"} 1\n'), "/readyz": (200, "[]")},
    ],
)
def test_what_is_no_sidecar_of_ours_is_said_to_be_none(answers: dict[str, tuple[int, str]]) -> None:
    with answering(answers) as url:
        (found,) = Sidecars([url]).ask()
    assert (found.answers, found.problem) == (False, "what answers there is no sidecar of Session Relay")


def test_a_role_that_is_not_ready_says_why() -> None:
    postgres = {"up": False, "failures_in_a_row": 3, "problem": "refused"}
    redis = {"up": False, "failures_in_a_row": 0, "problem": "not reached yet"}
    ready = {"problem": "kafka down", "dependencies": {"postgres": postgres, "redis": redis}}
    metrics = 'build_info{role="sink",version="1"} 1\n'
    with answering({"/metrics": (200, metrics), "/readyz": (503, json.dumps(ready))}) as url:
        (found,) = Sidecars([url]).ask()
    assert (found.role, found.version, found.problem) == ("sink", "1", "kafka down")
    assert found.weak == {"postgres": "refused"}


def test_sinks_are_looked_for_on_ports_counted_up() -> None:
    """Relay, sinks, a port on which another role answers and one on which nobody does, a backfill."""
    first = free_ports(7)
    roles = ("relay", "sink", "sink", "console", None, "sink", "backfill")
    settings = {"relay_port": first, "sink_port": first + 1, "backfill_port": first + 6}
    with ExitStack() as stack:
        for port, role in enumerate(roles, first):
            if role is None:
                continue
            metrics = f'build_info{{role="{role}",version="1"}} 1\n'
            stack.enter_context(answering({"/metrics": (200, metrics), "/readyz": (200, "{}")}, port))
        sidecars = Sidecars((), MetricsSettings.model_validate(settings))
        assert [told.role for told in sidecars.ask()] == ["relay", "sink", "sink", "sink", "backfill"]
    assert [told.answers for told in sidecars.ask()] == [False, False]


@pytest.mark.parametrize("metrics", [{"enabled": False}, {"relay_port": 0}, {"sink_port": 0}])
def test_ports_that_nobody_can_know_are_told_to_be_given(metrics: dict[str, int]) -> None:
    with pytest.raises(SettingsError, match="--url"):
        Sidecars((), MetricsSettings.model_validate(metrics))


@pytest.mark.parametrize("text", [SINK, f"{SINK}/", f"{SINK}/metrics", f"{SINK}/readyz"])
def test_an_address_may_be_copied_with_a_path(text: str) -> None:
    assert _address(text) == SINK


@pytest.mark.parametrize("text", ["9102", "ftp://h", "http://user:word@h:1"])
def test_what_is_no_address_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        _address(text)
    assert text not in str(refused.value)


@pytest.mark.parametrize("of", ["drawn now", "committed"])
def test_the_picture_is_whole_and_fetches_nothing(of: str) -> None:
    """`make pictures` draws the committed one."""
    drawn = picture(flow([sink(SINK, 0, 0)], [relay(1, 1, 0, 0), sink(SINK, 1, 1)]))
    svg = drawn if of == "drawn now" else STATUS.read_text("utf-8")
    root = ET.fromstring(svg)  # noqa: S314 - ours
    text = "".join(root.itertext()).replace("\xa0", " ")
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert all(word in text for word in ("session-relay status", "accepted", "written", RELAY, SINK))
    assert "@import" not in svg
    assert "url(http" not in svg
    assert svg.count("http") == 1 + text.count("http")


def test_the_readme_shows_the_picture() -> None:
    assert f"]({STATUS.relative_to(ROOT).as_posix()})" in (ROOT / "README.md").read_text("utf-8")
