"""The circuit around Postgres: opens after failures in a row, one probe a period, by a clock of its own."""

from collections.abc import Callable

import pytest

from config import metrics
from config.errors import StoppedForSafety
from consumers.breaker import NAME, Circuit
from consumers.fates import Fenced, KafkaUnavailable, PostgresUnavailable, TryAgain
from tests.frozen_clock import FrozenClock

FAILURES, RESET_S = 3, 60.0


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def circuit(clock: FrozenClock) -> Circuit:
    return Circuit(failures=FAILURES, reset_s=RESET_S, clock=clock)


def raising(error: Exception) -> Callable[[], None]:
    def fails() -> None:
        raise error

    return fails


def fail(circuit: Circuit, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(PostgresUnavailable, match="away"):
            circuit.call(raising(PostgresUnavailable("away")))


def gauge() -> float | None:
    return metrics.REGISTRY.get_sample_value("breaker_state", {"name": NAME})


def transitions(to: str) -> float:
    told = metrics.REGISTRY.get_sample_value("breaker_transitions_total", {"name": NAME, "to": to})
    return told or 0.0


def errors() -> float:
    return metrics.REGISTRY.get_sample_value("db_connection_errors_total") or 0.0


def test_work_passes_through_a_closed_circuit(circuit: Circuit) -> None:
    assert circuit.call(lambda: "done") == "done"
    assert (circuit.state, circuit.wait_s(), gauge()) == ("closed", 0.0, 0)


def test_it_opens_after_so_many_failures_in_a_row_and_not_before(circuit: Circuit) -> None:
    before = transitions("open"), errors()
    fail(circuit, FAILURES - 1)
    assert (circuit.state, circuit.wait_s()) == ("closed", 0.0)
    fail(circuit)
    assert (circuit.state, circuit.wait_s(), gauge()) == ("open", RESET_S, 2)
    assert (transitions("open"), errors()) == (before[0] + 1, before[1] + FAILURES)


def test_a_success_between_starts_the_count_anew(circuit: Circuit) -> None:
    fail(circuit, FAILURES - 1)
    circuit.call(lambda: None)
    fail(circuit, FAILURES - 1)
    assert circuit.state == "closed"


def test_a_failure_met_elsewhere_counts_too(circuit: Circuit) -> None:
    before = errors()
    for _ in range(FAILURES):
        circuit.failed()
    assert (circuit.state, errors()) == ("open", before + FAILURES)


@pytest.mark.parametrize(
    "error", [KafkaUnavailable("k"), Fenced("f"), TryAgain("t"), StoppedForSafety("s"), ZeroDivisionError()]
)
def test_an_error_of_another_kind_passes_and_is_not_counted(circuit: Circuit, error: Exception) -> None:
    before = errors()
    for _ in range(2 * FAILURES):
        with pytest.raises(type(error)):
            circuit.call(raising(error))
    assert (circuit.state, errors()) == ("closed", before)


def test_an_error_of_another_kind_is_no_success_either(circuit: Circuit) -> None:
    """Both may be away: Kafka's failures between must not keep Postgres' circuit closed for ever."""
    for _ in range(FAILURES - 1):
        fail(circuit)
        with pytest.raises(KafkaUnavailable):
            circuit.call(raising(KafkaUnavailable("k")))
    fail(circuit)
    assert circuit.state == "open"


def test_a_probe_that_never_reached_postgres_does_not_close_the_circuit(
    circuit: Circuit, clock: FrozenClock
) -> None:
    fail(circuit, FAILURES)
    clock.pass_s(RESET_S)
    with pytest.raises(KafkaUnavailable):
        circuit.call(raising(KafkaUnavailable("k")))
    assert (circuit.state, circuit.wait_s(), gauge()) == ("half-open", 0.0, 1)
    fail(circuit)
    assert (circuit.state, circuit.wait_s()) == ("open", RESET_S)


def test_the_period_runs_from_the_last_failure(circuit: Circuit, clock: FrozenClock) -> None:
    fail(circuit, FAILURES)
    clock.pass_s(RESET_S - 1)
    assert circuit.wait_s() == 1
    clock.pass_s(2)
    assert circuit.wait_s() == 0


def test_one_failed_probe_opens_it_for_another_period(circuit: Circuit, clock: FrozenClock) -> None:
    fail(circuit, FAILURES)
    before = transitions("half-open"), transitions("open")
    for period in range(1, 4):
        clock.pass_s(circuit.wait_s())
        fail(circuit)
        assert (circuit.state, circuit.wait_s(), gauge()) == ("open", RESET_S, 2)
        assert (transitions("half-open"), transitions("open")) == (before[0] + period, before[1] + period)


def test_one_probe_that_succeeds_closes_it(circuit: Circuit, clock: FrozenClock) -> None:
    fail(circuit, FAILURES)
    clock.pass_s(RESET_S)
    seen: list[str] = []
    before = transitions("closed")
    circuit.call(lambda: seen.append(circuit.state))
    assert seen == ["half-open"]
    assert (circuit.state, circuit.wait_s(), gauge()) == ("closed", 0.0, 0)
    assert transitions("closed") == before + 1
    fail(circuit, FAILURES - 1)
    assert circuit.state == "closed"  # the count began anew


def test_a_wall_clock_that_is_set_back_does_not_keep_it_open(circuit: Circuit, clock: FrozenClock) -> None:
    """The library itself waits by the wall clock; here no time of it has passed at all."""
    fail(circuit, FAILURES)
    clock.wall_us -= 24 * 3_600 * 1_000_000
    clock.elapsed_s += RESET_S
    assert circuit.wait_s() == 0
    assert circuit.call(lambda: "done") == "done"
    assert circuit.state == "closed"


def test_a_new_process_begins_closed(clock: FrozenClock, circuit: Circuit) -> None:
    fail(circuit, FAILURES)
    assert gauge() == 2
    Circuit(failures=FAILURES, reset_s=RESET_S, clock=clock)
    assert gauge() == 0
