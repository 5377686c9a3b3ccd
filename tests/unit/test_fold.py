"""Which state wins, case by case and over random histories."""

import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.fold import REMEMBERED_EVENTS, Folded, State, apply, fold, from_the_future, order_of
from consumers.outcome import Outcome
from schemas.event import MAX_TIME_US, MIN_TIME_US, RANK, EventType, SessionEvent
from tests.events import NOW_US, expected_of, history, made

DAY_US = 86_400_000_000
LOW, HIGH = "00000000-0000-5000-8000-000000000000", "f0000000-0000-5000-8000-000000000000"


def event(**fields: Any) -> SessionEvent:
    """An event that is equal to every other one but for these fields."""
    return msgspec.structs.replace(made(kind=EventType.SESSION_COMPLETE), **fields)


def outcomes_of(*events: SessionEvent) -> list[str]:
    return [outcome.value for outcome in fold(None, events).outcomes]


LESSER_AND_GREATER: list[tuple[dict[str, Any], dict[str, Any]]] = [
    *(({"type": lower}, {"type": upper}) for lower, upper in zip(RANK, list(RANK)[1:], strict=False)),
    (
        {"type": EventType.SESSION_COMPLETE, "sequence": 99},
        {"type": EventType.SESSION_DELETED, "sequence": 0},
    ),
    ({"sequence": -1}, {"sequence": 0}),
    ({"sequence": 9}, {"sequence": 10}),
    ({"sequence": 1, "occurred_at": NOW_US}, {"sequence": 2, "occurred_at": 0}),
    ({"occurred_at": -1}, {"occurred_at": 0}),
    ({"occurred_at": NOW_US}, {"occurred_at": NOW_US + 1}),
    ({"occurred_at": 0, "received_at": NOW_US + 1}, {"occurred_at": 1, "received_at": NOW_US}),
    ({"occurred_at": NOW_US}, {"occurred_at": NOW_US + DAY_US}),
    ({"occurred_at": NOW_US + DAY_US + 1}, {"occurred_at": 1}),
    ({"occurred_at": MAX_TIME_US}, {"occurred_at": NOW_US}),
    ({"occurred_at": MIN_TIME_US}, {"occurred_at": NOW_US + DAY_US + 1}),
    ({"received_at": NOW_US}, {"received_at": NOW_US + 1}),
    ({"received_at": NOW_US, "normaliser": 9}, {"received_at": NOW_US + 1, "normaliser": 1}),
    ({"normaliser": 9}, {"normaliser": 10}),
    ({"normaliser": 1, "event_id": HIGH}, {"normaliser": 2, "event_id": LOW}),
    ({"event_id": LOW}, {"event_id": HIGH}),
]


@pytest.mark.parametrize(("lesser", "greater"), LESSER_AND_GREATER)
def test_the_greater_state_wins_whatever_comes_first(lesser: dict[str, Any], greater: dict[str, Any]) -> None:
    low, high = event(**{"event_id": LOW} | lesser), event(**{"event_id": HIGH} | greater)
    assert order_of(low) < order_of(high)
    assert outcomes_of(low, high) == ["written", "written"]
    assert outcomes_of(high, low) == ["written", "stale"]
    assert fold(None, [low, high]).winner == 1
    assert fold(None, [high, low]).winner == 0


def test_a_time_counts_as_from_the_future_only_beyond_a_day_after_its_own_arrival() -> None:
    assert not from_the_future(event(occurred_at=NOW_US + DAY_US))
    assert from_the_future(event(occurred_at=NOW_US + DAY_US + 1))
    assert not from_the_future(event(occurred_at=NOW_US + DAY_US + 1, received_at=NOW_US + 1))
    told, untold = event(occurred_at=NOW_US + 2 * DAY_US), event(occurred_at=0)
    assert order_of(told) == order_of(untold)


def test_the_same_event_again_is_a_duplicate_however_late_it_arrives() -> None:
    """A retry bears the same id and a later arrival: it must not count as a newer state."""
    first = event()
    again = event(received_at=NOW_US + 1)
    assert outcomes_of(first, again, first) == ["written", "duplicate", "duplicate"]


def test_a_repeat_of_an_overtaken_event_is_a_duplicate_while_it_is_remembered() -> None:
    old, new = event(event_id=LOW), event(event_id=HIGH, sequence=1)
    assert outcomes_of(old, new, old) == ["written", "written", "duplicate"]


def test_a_stale_event_is_not_remembered() -> None:
    """Only what was written is: a repeat of a stale event is stale again."""
    new, old = event(event_id=HIGH, sequence=1), event(event_id=LOW)
    assert outcomes_of(new, old, old) == ["written", "stale", "stale"]
    assert fold(None, [new, old]).written == (HIGH,)


def test_sixteen_written_events_are_remembered_and_the_one_before_is_stale() -> None:
    revisions = [
        made(kind=EventType.SESSION_COMPLETE, sequence=number) for number in range(REMEMBERED_EVENTS + 1)
    ]
    folded = fold(None, revisions)
    assert folded.written == tuple(event.event_id for event in revisions[1:])
    assert folded.winner == REMEMBERED_EVENTS
    assert outcomes_of(*revisions, revisions[1])[-1] == "duplicate"
    assert outcomes_of(*revisions, revisions[0])[-1] == "stale"


def test_a_state_is_not_greater_than_itself() -> None:
    """Even where the row has forgotten the very event that it holds."""
    state = State(order_of(event()), (LOW,))
    assert apply(state, event()) == (state, Outcome.STALE)


def test_a_forgotten_event_that_is_greater_is_written_again() -> None:
    state = State(order_of(event(event_id=LOW)), (LOW,))
    after, outcome = apply(state, event(event_id=HIGH))
    assert outcome is Outcome.WRITTEN
    assert after == State(order_of(event(event_id=HIGH)), (LOW, HIGH))


def test_nothing_folds_to_nothing() -> None:
    assert fold(None, []) == Folded([], None, ())
    state = State(order_of(event()), (LOW,))
    assert fold(state, []) == Folded([], None, ())


def test_a_run_that_writes_nothing_has_no_winner() -> None:
    state = State(order_of(event(sequence=5)), (HIGH,))
    assert fold(state, [event(event_id=LOW), event(event_id=HIGH)]) == Folded(
        [Outcome.STALE, Outcome.DUPLICATE], None, ()
    )


def of_one_session(seed: int, count: int) -> list[SessionEvent]:
    return [one for one in history(random.Random(seed), count, sessions=1) if one.type in RANK]


def state_after(events: list[SessionEvent]) -> State | None:
    state = None
    for one in events:
        state, _ = apply(state, one)
    return state


@settings(max_examples=150)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 60), data=st.data())
def test_a_history_may_be_split_anywhere(seed: int, count: int, data: st.DataObject) -> None:
    log = of_one_session(seed, count)
    cut = data.draw(st.integers(0, len(log)))
    whole, first, rest = fold(None, log), fold(None, log[:cut]), fold(state_after(log[:cut]), log[cut:])
    assert whole.outcomes == first.outcomes + rest.outcomes
    assert whole.written == (first.written + rest.written)[-REMEMBERED_EVENTS:]
    assert whole.winner == (first.winner if rest.winner is None else cut + rest.winner)


@settings(max_examples=150)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 60))
def test_a_fold_agrees_with_the_rule_read_plainly(seed: int, count: int) -> None:
    log = of_one_session(seed, count)
    folded, expected = fold(None, log), expected_of(log)
    for outcome in (Outcome.WRITTEN, Outcome.DUPLICATE, Outcome.STALE):
        assert folded.outcomes.count(outcome) == expected.outcomes[outcome.value]
    if folded.winner is None:
        assert log == []
        return
    assert expected.rows == {"s-0": (log[folded.winner].event_id, list(folded.written))}
    assert folded.outcomes[folded.winner] is Outcome.WRITTEN
    assert folded.written[-1] == log[folded.winner].event_id


@settings(max_examples=100)
@given(seed=st.integers(0, 2**32), data=st.data())
def test_distinct_events_end_in_the_same_state_in_every_order(seed: int, data: st.DataObject) -> None:
    log = list({one.event_id: one for one in of_one_session(seed, 30)}.values())
    shuffled = data.draw(st.permutations(log))
    if log:
        winner, other = fold(None, log).winner, fold(None, shuffled).winner
        assert winner is not None
        assert other is not None
        assert log[winner] == shuffled[other] == max(log, key=order_of)
