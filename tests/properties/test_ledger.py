"""Two readings of one rule: whatever is sent or lost, the sink's fold ends where the ledger says."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from consumers.fold import State, apply
from schemas.event import EventType, SessionEvent
from session_relay.simulate.facts import EPOCH, Facts
from session_relay.simulate.ledger import STATES, Ledger

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TIMES = (EPOCH, NOW - timedelta(hours=1), NOW, NOW + timedelta(hours=23), NOW + timedelta(days=3))


@st.composite
def facts(draw: st.DrawFn) -> Facts:
    """Few values, so that every tie of the order is met."""
    return Facts(
        source="generic",
        type=draw(st.sampled_from(STATES)),
        user_id="u",
        session_id="s",
        sequence=draw(st.integers(0, 2)),
        occurred_at=draw(st.sampled_from(TIMES)),
        timezone=draw(st.sampled_from(["UTC", "Asia/Seoul"])),
    )


def event(told: Facts, event_id: str, place: int) -> SessionEvent:
    received_at = NOW + timedelta(milliseconds=place)
    return SessionEvent(
        event_id=event_id,
        source=told.source,
        tenant="t",
        type=EventType(told.type),
        user_id=told.user_id,
        session_id=told.session_id,
        sequence=told.sequence,
        occurred_at=round(told.occurred_at.timestamp() * 1e6),
        received_at=round(received_at.timestamp() * 1e6),
        normaliser=1,
    )


# An attempt is answered or not, and stored or not; answered means stored. At most 16 in all, as a row
# remembers the last 16 events: beyond that an old repeat may count as new.
attempts = st.lists(
    st.tuples(facts(), st.sampled_from(["answered", "stored only", "lost"])), min_size=1, max_size=16
)


@given(attempts)
def test_the_fold_ends_in_a_state_that_the_ledger_allows(sent: list[tuple[Facts, str]]) -> None:
    ledger, state, ids = Ledger(), None, dict[Facts, str]()
    won: Facts | None = None
    for told, fate in sent:
        event_id = ids.setdefault(told, f"id-{len(ids)}")
        place = ledger.attempt(told, NOW)
        if fate != "lost":
            before: State | None = state
            state, _ = apply(state, event(told, event_id, place))
            won = told if before is None or before.order != state.order else won
        if fate == "answered":
            ledger.acknowledge(told, place, [event_id])
    [expectation] = ledger.expected().values()
    assert (won in [entry.facts for entry in expectation.winners]) or (
        won is None and not expectation.certain
    )


@given(st.lists(facts(), min_size=1, max_size=16))
def test_where_everything_is_answered_exactly_one_state_is_right(sent: list[Facts]) -> None:
    ledger = Ledger()
    ids = dict[Facts, str]()
    for told in sent:
        place = ledger.attempt(told, NOW)
        ledger.acknowledge(told, place, [ids.setdefault(told, f"id-{len(ids)}")])
    [expectation] = ledger.expected().values()
    assert len(expectation.winners) == 1
    assert expectation.certain
