"""Every body is one that the relay reads as the facts it was made of."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from random import Random
from typing import Any

import pytest

from producers.delivery import Context, Normalise
from producers.sources import asleep, generic
from schemas.event import SessionEvent
from session_relay.simulate import nights
from session_relay.simulate.compare import expected_row
from session_relay.simulate.deliveries import Delivery
from session_relay.simulate.facts import Facts
from session_relay.simulate.ledger import STATES
from session_relay.simulate.spellings import ASLEEP_SPELLINGS, Spelling, spell
from session_relay.simulate.traffic import Plan

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
NORMALISERS: Mapping[str, Normalise] = {"asleep": asleep.normalise, "generic": generic.normalise}


@cache
def sent() -> list[Delivery]:
    lanes = Plan(seed=11, run="r1", now=NOW).lanes(nights.drawn(Random(11)), 600)
    return [delivery for lane in lanes for step in lane for delivery in step]


def read(delivery: Delivery) -> SessionEvent:
    facts = delivery.facts
    context = Context(facts.source, "demo", received_at_us=0, claimed_user_ids=(facts.user_id,))
    [event] = NORMALISERS[facts.source](delivery.body(), context)
    return event


def told(event: SessionEvent) -> dict[str, Any]:
    """The event in the words of a row, by a reading of its own."""
    figures = (
        {}
        if event.statistics is None
        else {
            name: value
            for name in event.statistics.__struct_fields__
            if (value := getattr(event.statistics, name)) is not None
        }
    )
    return {
        "user_id": event.user_id,
        "type": event.type.value,
        "sequence": event.sequence,
        "occurred_at": event.occurred_at,
        "session_start_time": event.session_start_time,
        "session_end_time": event.session_end_time,
        "timezone": event.timezone,
        "utc_offset_seconds": event.utc_offset_seconds,
        "sleep_stages": event.sleep_stages,
        "epoch_seconds": event.epoch_seconds,
        "figures": figures,
    }


def meant(facts: Facts) -> dict[str, Any]:
    row = expected_row(facts)
    times = ("occurred_at", "session_start_time", "session_end_time")
    row |= {name: None if row[name] is None else round(row[name].timestamp() * 1e6) for name in times}
    return {name: row.get(name) for name in told_names()} | {"figures": dict(facts.statistics or ())}


def told_names() -> list[str]:
    return [name for name in told(read(sent()[0])) if name != "figures"]


def test_the_relay_reads_every_body_as_it_was_meant() -> None:
    states = [d for d in sent() if d.facts.type in STATES and d.facts.type != "SESSION_DELETED"]
    assert {d.spelling for d in states} == set(Spelling)
    for delivery in states:
        assert told(read(delivery)) == meant(delivery.facts)


def test_equal_facts_have_one_id_in_every_spelling_and_style() -> None:
    whole = next(
        d.facts
        for d in sent()
        if d.facts.source == "asleep" and d.facts.type == "SESSION_COMPLETE" and d.facts.stages
    )
    ids = {
        read(Delivery(whole, spelling, style)).event_id for spelling in ASLEEP_SPELLINGS for style in range(6)
    }
    assert len(ids) == 1
    ours = next(d.facts for d in sent() if d.facts.source == "generic")
    assert len({read(Delivery(ours, Spelling.GENERIC, style)).event_id for style in range(12)}) == 1


def test_different_facts_have_different_ids() -> None:
    by_facts = {delivery.facts: read(delivery).event_id for delivery in sent()}
    assert len(set(by_facts.values())) == len(by_facts)


def test_styles_change_bytes_and_a_style_repeats_them() -> None:
    facts = sent()[0].facts
    bodies = {spell(facts, sent()[0].spelling, style) for style in range(30)}
    assert len(bodies) > 3
    assert sent()[0].body() == spell(facts, sent()[0].spelling, sent()[0].style)


@pytest.mark.parametrize(
    ("spelling", "names"),
    [
        (Spelling.ASLEEP_DATA, {"event", "version", "data"}),
        (Spelling.ASLEEP_CALLBACK, {"callback_event", "callback_version", "callback_data"}),
        (Spelling.ASLEEP_FLAT, {"event", "version", "timestamp", "user_id", "session_id", "session", "stat",
                                "peculiarities", "missing_data_ratio"}),
    ],
)  # fmt: skip
def test_each_spelling_has_its_vendor_names(spelling: Spelling, names: set[str]) -> None:
    whole = next(
        d.facts for d in sent() if d.facts.type == "SESSION_COMPLETE" and len(d.facts.statistics or ()) > 5
    )
    assert set(json.loads(spell(whole, spelling, 1))) == names
