"""Which state wins is spelled three times, in Python's fold, in SQL's upsert, in plain words: they agree.

The plain reading is `tests.events.expected_of`, made of the contract's words. A history has everything that
has ever told two of them apart: ties, repeats, more events of a row than it remembers, times from the future.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

import msgspec
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from config.embedded.services import EmbeddedServices
from consumers.fold import fold
from schemas.event import RANK, EventType, SessionEvent
from tests.applying import Applying, applying, states
from tests.events import NOW_US, Key, expected_of

pytestmark = pytest.mark.integration

DAY_US = 86_400_000_000
IDS = [f"{number:x}0000000-0000-5000-8000-000000000000" for number in range(8)]
BAD = 13
"""The normaliser of events that a constraint refuses, where there is one."""
REFUSES = f"ALTER TABLE sessions ADD CONSTRAINT no_beast CHECK (normaliser <> {BAD})"
QUICK = settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    print_blob=True,
)


def of_key(key: Key, kind: EventType, **fields: object) -> SessionEvent:
    tenant, source, session = key
    made = SessionEvent(
        event_id=IDS[0],
        tenant=tenant,
        source=source,
        type=kind,
        user_id="u-1",
        session_id=session,
        received_at=NOW_US,
        normaliser=1,
    )
    return msgspec.structs.replace(made, **fields)


KEYS = st.sampled_from([("t-1", "asleep", "a"), ("t-2", "asleep", "a"), ("t-1", "mine", "a")])
FIELDS: dict[str, st.SearchStrategy[object]] = {
    "type": st.sampled_from(EventType),
    "sequence": st.integers(-1, 1),
    "occurred_at": st.sampled_from([-1, 0, 1, NOW_US, NOW_US + DAY_US, NOW_US + DAY_US + 1]),
    "received_at": st.integers(NOW_US, NOW_US + 1),
    "normaliser": st.sampled_from([1, 2, BAD]),
    "event_id": st.sampled_from(IDS),
}
EVENTS = st.builds(of_key, KEYS, FIELDS["type"], **{name: FIELDS[name] for name in list(FIELDS)[1:]})
OTHERWISE = st.sampled_from([*FIELDS, "occurred_at"]).flatmap(
    lambda name: st.fixed_dictionaries({name: FIELDS[name], "event_id": FIELDS["event_id"]})
)
"""What makes a twin of an event: another id, and another value in one field."""


@st.composite
def revisions(draw: st.DrawFn) -> list[SessionEvent]:
    """More states of one row than it remembers, each greater than the one before, then some of them again."""
    key, count = draw(KEYS), draw(st.integers(15, 19))
    greater = [
        of_key(key, EventType.SESSION_COMPLETE, sequence=number, event_id=f"{number:08x}{IDS[0][8:]}")
        for number in range(count)
    ]
    return greater + draw(st.lists(st.sampled_from(greater), max_size=4))


@st.composite
def histories(draw: st.DrawFn) -> list[SessionEvent]:
    """A log of a few rows, with repeats that were received later, and twins that differ by a field."""
    parts = st.lists(EVENTS, min_size=1, max_size=4) | revisions()
    log: list[SessionEvent] = []
    for part in draw(st.lists(parts, min_size=1, max_size=6)):
        log += part
        again = draw(st.lists(st.sampled_from(log), max_size=2))
        log += [msgspec.structs.replace(one, received_at=one.received_at + 1) for one in again]
        twins = draw(st.lists(st.tuples(st.sampled_from(log), OTHERWISE), max_size=6))
        log += [msgspec.structs.replace(one, **otherwise) for one, otherwise in twins]
    return log


@pytest.fixture
def apply(services: EmbeddedServices, topic: str, database_url: str) -> Iterator[Applying]:
    with applying(database_url, services.addresses.kafka_bootstrap_servers, topic) as made_here:
        yield made_here


def apply_cut(apply: Applying, log: Sequence[SessionEvent], cuts: Sequence[int]) -> list[dict[str, int]]:
    """Apply the log from its beginning, in batches that end at these cuts; the sums after each."""
    apply.begin_anew()
    return [apply(log[begin:end]) for begin, end in pairwise(sorted({0, *cuts, len(log)}))]


def one_by_one(sums: Sequence[dict[str, int]]) -> list[str]:
    """The outcome of each record, where every batch was of one."""
    before: Counter[str] = Counter()
    told = []
    for after in map(Counter, sums):
        (outcome,) = after - before
        told.append(outcome)
        before = after
    return told


def folded(log: Sequence[SessionEvent]) -> tuple[dict[Key, tuple[str, list[str]]], list[str]]:
    """What Python's fold makes of it, row by row."""
    by_key: dict[Key, list[int]] = {}
    told = ["passed"] * len(log)
    for index, one in enumerate(log):
        if one.type in RANK:
            by_key.setdefault((one.tenant, one.source, str(one.session_id)), []).append(index)
    ends = {}
    for key, indices in by_key.items():
        result = fold(None, [log[index] for index in indices])
        for index, outcome in zip(indices, result.outcomes, strict=True):
            told[index] = outcome.value
        assert result.winner is not None
        ends[key] = log[indices[result.winner]].event_id, list(result.written)
    return ends, told


@settings(parent=QUICK, max_examples=250)
@given(log=histories())
def test_the_fold_agrees_with_plain_words_on_each_record(log: list[SessionEvent]) -> None:
    expected = expected_of(log)
    for outcome in set(expected.told):
        event(outcome)
    assert folded(log) == (expected.states, expected.told)


@pytest.mark.parametrize("between", [1, 15, 16, 20])
def test_an_event_that_its_own_batch_displaced_is_written_again(apply: Applying, between: int) -> None:
    """Where a vendor orders nothing, a repeat that comes late is the last received, so the greater."""
    key = ("t-1", "mine", "a")
    log = [
        of_key(key, EventType.SESSION_COMPLETE, received_at=NOW_US + n, event_id=f"{n:08x}{IDS[0][8:]}")
        for n in range(16 + between)
    ]
    log.append(msgspec.structs.replace(log[0], received_at=NOW_US + len(log)))
    expected = expected_of(log)
    *_, sums = apply_cut(apply, log, [16])
    assert sums == {"written": len(log)}
    assert states(apply) == expected.states


def test_a_row_from_the_future_yields_to_a_batch_that_holds_its_session_twice(apply: Applying) -> None:
    """What such a batch is folded onto was read from the row, by the same rule."""
    key, future_us = ("t-1", "mine", "a"), NOW_US + DAY_US + 1
    log = [
        of_key(key, EventType.SESSION_COMPLETE, occurred_at=at_us, event_id=one)
        for at_us, one in zip((future_us, NOW_US, NOW_US + 1), IDS, strict=False)
    ]
    *_, sums = apply_cut(apply, log, [1])
    assert sums == {"written": len(log)}
    assert states(apply) == expected_of(log).states


@QUICK
@given(log=histories())
def test_the_upsert_agrees_with_plain_words_on_each_record(apply: Applying, log: list[SessionEvent]) -> None:
    expected = expected_of(log)
    assert one_by_one(apply_cut(apply, log, range(len(log)))) == expected.told
    assert states(apply) == expected.states


@settings(parent=QUICK, max_examples=200)
@given(log=histories(), data=st.data())
def test_batches_of_several_tenants_and_sources_agree_with_plain_words(
    apply: Applying, log: list[SessionEvent], data: st.DataObject
) -> None:
    cuts = data.draw(st.lists(st.integers(1, len(log)), max_size=4))
    expected = expected_of(log)
    *_, sums = apply_cut(apply, log, cuts)
    assert sums == {name: count for name, count in expected.outcomes.items() if count}
    assert states(apply) == expected.states


@QUICK
@given(log=histories(), data=st.data())
def test_what_is_set_aside_is_as_if_it_had_never_come(
    apply: Applying, log: list[SessionEvent], data: st.DataObject
) -> None:
    """Several rejected records of one key among good ones: their key is folded again without them.

    A bad event that its own batch overtakes is never shown to Postgres; so which ones are set aside
    depends on the batches, but never what the others make of it.
    """
    apply.query("ALTER TABLE sessions DROP CONSTRAINT IF EXISTS no_beast")
    apply.begin_anew()
    apply.query(REFUSES)
    cuts = data.draw(st.lists(st.integers(1, len(log)), max_size=4))
    *_, sums = apply_cut(apply, log, cuts)
    event(f"set aside: {min(len(apply.parked), 3)}")
    assert {log[offset].normaliser for offset in apply.parked} <= {BAD}
    expected = expected_of([one for offset, one in enumerate(log) if offset not in apply.parked])
    outcomes = expected.outcomes | {"parked": len(apply.parked)}
    assert sums == {name: count for name, count in outcomes.items() if count}
    assert states(apply) == expected.states
    assert apply.query(f"SELECT 1 FROM sessions WHERE normaliser = {BAD}") == []
