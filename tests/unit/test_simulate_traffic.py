"""The plan: repeatable, of the size asked for, and with everything that vendors do wrong."""

from collections import Counter
from datetime import UTC, datetime
from random import Random

from session_relay.simulate import nights
from session_relay.simulate.deliveries import Delivery, Lane
from session_relay.simulate.facts import Facts
from session_relay.simulate.nights import Night
from session_relay.simulate.spellings import Spelling
from session_relay.simulate.traffic import Plan

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def lanes(seed: int = 1, count: int = 2000, sources: tuple[str, ...] = ("asleep", "generic")) -> list[Lane]:
    plan = Plan(seed=seed, run="r1", now=NOW, sources=sources)
    return list(plan.lanes(nights.drawn(Random(seed)), count))


def deliveries(of: list[Lane]) -> list[Delivery]:
    return [delivery for lane in of for step in lane for delivery in step]


def test_the_same_seed_plans_the_same_bytes() -> None:
    first, second = deliveries(lanes(count=200)), deliveries(lanes(count=200))
    assert [d.body() for d in first] == [d.body() for d in second]
    assert first != deliveries(lanes(seed=2, count=200))


def test_a_plan_holds_as_many_deliveries_as_asked_for() -> None:
    for count in (1, 7, 100, 2000):
        assert len(deliveries(lanes(count=count))) == count


def test_every_spelling_and_type_takes_part() -> None:
    sent = deliveries(lanes())
    assert set(Counter(d.spelling for d in sent)) == set(Spelling)
    types = {d.facts.type for d in sent}
    states = {
        "SESSION_STARTED",
        "INFERENCE_COMPLETE",
        "SESSION_FAILED",
        "SESSION_COMPLETE",
        "SESSION_DELETED",
    }
    assert states < types


def test_there_are_repeats_and_other_spellings_and_revisions_and_late_ones() -> None:
    sent = deliveries(lanes())
    repeats = len(sent) - len(set(sent))
    respelled = len(set(sent)) - len({d.facts for d in sent})
    completes = Counter(f.session_id for f in {d.facts for d in sent} if f.type == "SESSION_COMPLETE")
    assert repeats > 100
    assert respelled > 20
    assert sum(1 for count in completes.values() if count > 1) > 50
    assert sum(map(_has_late_inference, lanes())) > 20


def _has_late_inference(lane: Lane) -> bool:
    types = [delivery.facts.type for step in lane for delivery in step]
    return "SESSION_COMPLETE" in types[: _last(types, "INFERENCE_COMPLETE")]


def _last(types: list[str], kind: str) -> int:
    return max((index for index, one in enumerate(types) if one == kind), default=0)


def test_only_events_that_need_no_order_of_arrival_go_out_at_once() -> None:
    together = [step for lane in lanes() for step in lane if len(step) > 1]
    assert together
    for step in together:
        distinct = {delivery.facts for delivery in step}
        assert len({(f.type, f.sequence, f.occurred_at) for f in distinct}) == len(distinct)


def test_a_source_that_takes_no_part_gets_nothing() -> None:
    assert {d.facts.source for d in deliveries(lanes(count=300, sources=("generic",)))} == {"generic"}
    assert {d.facts.source for d in deliveries(lanes(count=300, sources=("asleep",)))} == {"asleep"}


def test_nights_with_other_epochs_are_told_by_the_vendor_that_can_tell_them() -> None:
    plan = Plan(seed=3, run="r1", now=NOW)
    sent = deliveries(list(plan.lanes(iter([Night((0, 1, 2, 3) * 50, 60)] * 50), 60)))
    assert {d.facts.source for d in sent} == {"generic"}
    assert {f.epoch_s for f in _states(sent)} == {60}


def _states(sent: list[Delivery]) -> list[Facts]:
    return [delivery.facts for delivery in sent if delivery.facts.type.startswith("SESSION_")]


def test_two_runs_share_no_session_and_no_user() -> None:
    other = Plan(seed=1, run="r2", now=NOW)
    theirs = [delivery.facts for delivery in deliveries(list(other.lanes(nights.drawn(Random(1)), 500)))]
    ours = [delivery.facts for delivery in deliveries(lanes(count=500))]
    assert not {f.user_id for f in ours} & {f.user_id for f in theirs}
    assert not {f.session_id for f in ours} & {f.session_id for f in theirs} - {None}
