"""Liveness is the loop's, readiness is what the last real use of each dependency found."""

import json
from typing import Any

import pytest

from config.health import LIVE_PATHS, READY_PATHS, Health
from tests.frozen_clock import FrozenClock


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def health(clock: FrozenClock) -> Health:
    return Health(clock, stalled_after_s=60.0)


def told(answer: tuple[int, bytes]) -> tuple[int, dict[str, Any]]:
    status, body = answer
    return int(status), json.loads(body)


def test_a_loop_that_turns_is_alive_until_it_stalls_and_again_after(
    health: Health, clock: FrozenClock
) -> None:
    clock.pass_s(59.9)
    assert told(health.live()) == (200, {"live": True, "loop_turned_s_ago": 59.9})
    clock.pass_s(0.1)
    assert told(health.live()) == (503, {"live": False, "loop_turned_s_ago": 60.0})
    health.beat()
    assert told(health.live()) == (200, {"live": True, "loop_turned_s_ago": 0.0})


def test_liveness_never_looks_at_a_dependency(health: Health) -> None:
    health.dependency("kafka", needed=True).failed("away")
    health.stopping()
    assert health.live()[0] == 200


def test_a_dependency_is_down_until_its_first_success(health: Health) -> None:
    kafka = health.dependency("kafka", needed=True)
    status, body = told(health.ready())
    assert (status, body["ready"], body["problem"]) == (503, False, "kafka down")
    assert body["dependencies"]["kafka"] == {
        "up": False,
        "needed": True,
        "problem": "not reached yet",
        "failures_in_a_row": 0,
        "last_success_s_ago": None,
    }
    kafka.succeeded()
    assert kafka.up
    assert health.ready()[0] == 200


def test_the_state_of_a_circuit_is_told_where_there_is_one(health: Health) -> None:
    health.dependency("kafka", needed=True)
    health.dependency("postgres", needed=False, circuit=lambda: "half-open")
    dependencies = told(health.ready())[1]["dependencies"]
    assert dependencies["postgres"]["circuit"] == "half-open"
    assert "circuit" not in dependencies["kafka"]


def test_readiness_tells_failures_in_a_row_and_the_last_success(health: Health, clock: FrozenClock) -> None:
    kafka = health.dependency("kafka", needed=True)
    kafka.succeeded()
    clock.pass_s(12.34)
    kafka.failed("no broker")
    kafka.failed("no acknowledgement")
    status, body = told(health.ready())
    assert status == 503
    assert body["dependencies"]["kafka"] == {
        "up": False,
        "needed": True,
        "problem": "no acknowledgement",
        "failures_in_a_row": 2,
        "last_success_s_ago": 12.3,
    }
    kafka.succeeded()
    assert told(health.ready())[1]["dependencies"]["kafka"]["failures_in_a_row"] == 0


def test_a_wall_clock_that_is_set_back_does_not_change_ages(health: Health, clock: FrozenClock) -> None:
    health.dependency("kafka", needed=True).succeeded()
    clock.pass_s(5)
    clock.wall_us -= 3_600_000_000
    assert told(health.ready())[1]["dependencies"]["kafka"]["last_success_s_ago"] == 5.0


def test_what_is_not_needed_is_told_and_never_refuses(health: Health) -> None:
    health.dependency("kafka", needed=True).succeeded()
    health.dependency("postgres", needed=False).failed("locked")
    status, body = told(health.ready())
    assert (status, body["ready"], body["problem"]) == (200, True, None)
    assert body["dependencies"]["postgres"]["problem"] == "locked"


def test_all_that_is_down_is_named(health: Health) -> None:
    for name in ("kafka", "spool"):
        health.dependency(name, needed=True).failed("away")
    assert told(health.ready())[1]["problem"] == "kafka, spool down"


def test_one_that_goes_away_is_not_ready_though_all_is_well(health: Health) -> None:
    health.dependency("kafka", needed=True).succeeded()
    health.stopping()
    status, body = told(health.ready())
    assert (status, body["ready"], body["problem"]) == (503, False, "shutting down")


def test_a_dependency_is_declared_once(health: Health) -> None:
    assert health.dependency("kafka", needed=True) is health.dependency("kafka", needed=True)


def test_every_alias_has_its_answer_and_no_other_path_has(health: Health) -> None:
    assert all(health.route(path) == health.live for path in LIVE_PATHS)
    assert all(health.route(path) == health.ready for path in READY_PATHS)
    assert {*LIVE_PATHS, *READY_PATHS} >= {"/livez", "/readyz", "/live", "/ready", "/health"}
    assert {*LIVE_PATHS, *READY_PATHS} >= {"/health/live", "/health/ready"}
    assert [health.route(path) for path in ("/", "", "/livez/", "/metrics", "livez")] == [None] * 5


def test_who_owes_an_answer_for_too_long_is_down_until_there_is_one(
    health: Health, clock: FrozenClock
) -> None:
    postgres = health.dependency("postgres", needed=False, patience_s=20)
    postgres.succeeded()
    postgres.asked()
    clock.pass_s(15)
    postgres.asked()  # it is the first one that counts
    clock.pass_s(5)
    assert postgres.up
    clock.pass_s(1)
    row = told(health.ready())[1]["dependencies"]["postgres"]
    assert (row["up"], row["problem"]) == (False, "no answer for 21 s")
    assert (row["failures_in_a_row"], row["last_success_s_ago"]) == (0, 21.0)
    postgres.answered()
    assert postgres.up


def test_who_was_never_asked_owes_nothing(health: Health, clock: FrozenClock) -> None:
    postgres = health.dependency("postgres", needed=False, patience_s=20)
    postgres.failed("away")
    clock.pass_s(1_000)
    assert told(health.ready())[1]["dependencies"]["postgres"]["problem"] == "away"
