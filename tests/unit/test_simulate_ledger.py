"""The ledger's rule, case by case, with expectations written by hand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from session_relay.simulate.facts import EPOCH, Facts
from session_relay.simulate.ledger import Ledger

NIGHT = datetime(2026, 11, 20, 6, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def complete(**changes: object) -> Facts:
    facts = Facts(source="asleep", type="SESSION_COMPLETE", user_id="u1", session_id="s1", occurred_at=NIGHT)
    return replace(facts, **changes)  # type: ignore[arg-type] # a test's own fields


def say(ledger: Ledger, *events: Facts) -> None:
    """Send and have acknowledged, one after the other."""
    for facts in events:
        ledger.acknowledge(facts, ledger.attempt(facts, NOW), [f"id of {hash(facts)}"])


def winners(ledger: Ledger) -> list[Facts]:
    [expectation] = ledger.expected().values()
    return [entry.facts for entry in expectation.winners]


LIVE = complete(type="INFERENCE_COMPLETE", sequence=7, occurred_at=EPOCH)
WHOLE = complete()
REVISED = complete(stages=b"\1")
LONGER = complete(occurred_at=NIGHT + timedelta(minutes=5))
DELETED = complete(type="SESSION_DELETED", occurred_at=EPOCH)


@pytest.mark.parametrize(
    ("sent", "winner"),
    [
        pytest.param([LIVE, WHOLE], WHOLE, id="the higher rank"),
        pytest.param([WHOLE, LIVE], WHOLE, id="the higher rank though it came first"),
        pytest.param([replace(LIVE, sequence=9), LIVE], replace(LIVE, sequence=9), id="the higher sequence"),
        pytest.param([LONGER, WHOLE], LONGER, id="the later time"),
        pytest.param([WHOLE, REVISED], REVISED, id="of equals the last received"),
        pytest.param([WHOLE, REVISED, WHOLE], REVISED, id="a repeat changes nothing"),
        pytest.param([DELETED, LONGER], DELETED, id="deleted stays deleted"),
        pytest.param(
            [WHOLE, complete(occurred_at=NOW + timedelta(days=3))], WHOLE, id="a time from the future is none"
        ),
        pytest.param(
            [WHOLE, complete(occurred_at=NOW + timedelta(hours=23))],
            complete(occurred_at=NOW + timedelta(hours=23)),
            id="a clock that runs ahead by less than a day is believed",
        ),
        pytest.param(
            [complete(sequence=2, occurred_at=EPOCH), LONGER],
            complete(sequence=2, occurred_at=EPOCH),
            id="sequence before time",
        ),
    ],
)
def test_the_greatest_state_wins(sent: list[Facts], winner: Facts) -> None:
    ledger = Ledger()
    say(ledger, *sent)
    assert winners(ledger) == [winner]
    assert ledger.problems == []


def test_an_unsettled_delivery_may_or_may_not_have_won() -> None:
    ledger = Ledger()
    say(ledger, WHOLE)
    ledger.attempt(REVISED, NOW)  # no answer
    assert winners(ledger) == [WHOLE, REVISED]
    say(ledger, REVISED)
    assert winners(ledger) == [REVISED]


def test_an_unsettled_delivery_below_a_certain_one_is_out() -> None:
    ledger = Ledger()
    ledger.attempt(WHOLE, NOW)
    say(ledger, LONGER)
    assert winners(ledger) == [LONGER]


def test_a_retry_across_another_delivery_leaves_both_possible() -> None:
    ledger = Ledger()
    ledger.attempt(WHOLE, NOW)  # may have been stored here, before the revision …
    say(ledger, REVISED, WHOLE)  # … or only here, after it
    assert winners(ledger) == [WHOLE, REVISED]


def test_a_session_without_an_acknowledged_event_needs_no_row() -> None:
    ledger = Ledger()
    ledger.attempt(WHOLE, NOW)
    [expectation] = ledger.expected().values()
    assert not expectation.certain
    assert [entry.facts for entry in expectation.winners] == [WHOLE]


def test_events_without_state_expect_no_row() -> None:
    ledger = Ledger()
    say(ledger, complete(type="SESSION_PAUSED"), complete(type="USER_REVOKED", session_id=None))
    assert ledger.expected() == {}
    assert ledger.passed == 2
    assert ledger.users() == {"u1"}


def test_one_id_for_two_events_and_two_ids_for_one_are_told() -> None:
    ledger = Ledger()
    ledger.acknowledge(WHOLE, ledger.attempt(WHOLE, NOW), ["a"])
    ledger.acknowledge(WHOLE, ledger.attempt(WHOLE, NOW), ["b"])
    ledger.acknowledge(REVISED, ledger.attempt(REVISED, NOW), ["a"])
    assert ledger.problems == [
        "a repeated SESSION_COMPLETE of source asleep was given another id",
        "two different events of source asleep were given one id",
    ]


def test_a_refusal_and_an_answer_without_ids_are_told() -> None:
    ledger = Ledger()
    ledger.attempt(WHOLE, NOW)
    ledger.refuse(WHOLE, 422)
    ledger.acknowledge(REVISED, ledger.attempt(REVISED, NOW), [])
    assert len(ledger.problems) == 2
    assert "422" in ledger.problems[0]
