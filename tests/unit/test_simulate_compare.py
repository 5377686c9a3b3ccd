"""Every column that differs is found, and no value is told."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from session_relay.simulate.compare import Row, expected_row, judge
from session_relay.simulate.facts import Facts
from session_relay.simulate.ledger import Expectation, Ledger
from session_relay.simulate.nights import Night

NIGHT = datetime(2026, 11, 20, 6, tzinfo=UTC)
WHOLE = Facts(
    source="generic",
    type="SESSION_COMPLETE",
    user_id="u1",
    session_id="s1",
    sequence=2,
    occurred_at=NIGHT,
    start=NIGHT - timedelta(hours=8),
    end=NIGHT,
    timezone="Asia/Seoul",
    attributes=(("device", "ring"),),
).with_night(Night((0, 1, 2, 3, -1, 1, 0) * 100))


def expectation(*sent: Facts, acknowledged: bool = True) -> Expectation:
    ledger = Ledger()
    for number, facts in enumerate(sent):
        place = ledger.attempt(facts, NIGHT)
        if acknowledged:
            ledger.acknowledge(facts, place, [f"id-{number}"])
    [result] = ledger.expected().values()
    return result


def row(facts: Facts = WHOLE, changes: Mapping[str, Any] | None = None) -> Row:
    attributes = {} if facts.type == "SESSION_DELETED" else {"device": "ring", "more": "1"}
    return expected_row(facts) | {"event_id": "id-0", "attributes": attributes} | dict(changes or {})


def test_the_row_of_the_winner_passes() -> None:
    assert judge(row(), expectation(WHOLE)) == []


@pytest.mark.parametrize("column", [*expected_row(WHOLE), "event_id"])
def test_any_column_that_differs_is_found(column: str) -> None:
    assert judge(row(changes={column: "other"}), expectation(WHOLE)) == [
        f"SESSION_COMPLETE: column {column} differs"
    ]


@pytest.mark.parametrize("column", [name for name, value in expected_row(WHOLE).items() if value is not None])
def test_any_column_that_is_empty_is_found(column: str) -> None:
    assert judge(row(changes={column: None}), expectation(WHOLE)) == [
        f"SESSION_COMPLETE: column {column} differs"
    ]


def test_figures_stand_in_their_column_or_in_the_rest_never_in_both() -> None:
    wanted = expected_row(WHOLE)
    assert wanted["time_in_sleep"] == 400 * 30
    assert "time_in_sleep" not in wanted["statistics"]
    assert wanted["statistics"]["missing_data_ratio"] == round(1 / 7, 3)
    json.dumps(wanted["statistics"])  # as jsonb gives it


def test_a_missing_row_is_a_loss_only_if_something_was_acknowledged() -> None:
    assert judge(None, expectation(WHOLE)) == ["an acknowledged session has no row"]
    assert judge(None, expectation(WHOLE, acknowledged=False)) == []


def test_sent_attributes_must_be_there_among_others() -> None:
    assert judge(row(changes={"attributes": {"more": "1"}}), expectation(WHOLE)) == [
        "SESSION_COMPLETE: column attributes lacks what was sent"
    ]


def test_a_deleted_session_keeps_its_key_and_loses_its_content() -> None:
    deleted = Facts(
        source="generic", type="SESSION_DELETED", user_id="u1", session_id="s1", start=NIGHT, timezone="UTC"
    )
    assert judge(row(deleted), expectation(deleted)) == []
    for column, value in {"timezone": "UTC", "session_start_time": NIGHT, "sleep_stages": b"\0"}.items():
        assert judge(row(deleted, {column: value}), expectation(deleted)) != []
    assert judge(row(deleted, {"attributes": {"device": "ring"}}), expectation(deleted)) != []


def test_a_session_without_figures_has_none_in_the_table() -> None:
    bare = Facts(source="generic", type="SESSION_STARTED", user_id="u1", session_id="s1")
    wanted = expected_row(bare)
    assert wanted["statistics"] is None
    assert wanted["time_in_bed"] is None
