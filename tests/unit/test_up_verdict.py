"""The verdict is good only if all accounts agree; each disagreement spoils it by itself."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from session_relay.simulate.compare import Comparison, Difference
from session_relay.simulate.facts import Facts
from session_relay.simulate.ledger import Ledger
from session_relay.simulate.sender import Tally
from session_relay.up.observer import OUTCOMES, Standing
from session_relay.up.verdict import Verdict, judge

EQUAL = Comparison(stored=2, lost=0, differences=())
STANDING = Standing(
    records=3,
    lag=0,
    outcomes=dict.fromkeys(OUTCOMES, 0) | {"written": 2, "passed": 1},
    stored=2,
    unbalanced=(),
)


def ledger() -> Ledger:
    account = Ledger()
    for number, kind in enumerate(("SESSION_STARTED", "SESSION_COMPLETE", "SESSION_PAUSED")):
        facts = Facts(source="generic", type=kind, user_id="u", session_id="s")
        account.acknowledge(facts, account.attempt(facts), [f"id-{number}"])
    return account


def verdict(
    standing: Standing = STANDING, comparison: Comparison = EQUAL, tally: Tally | None = None
) -> Verdict:
    return judge(ledger(), tally or Tally(sent=3, acknowledged=3), standing, comparison, seconds=1.26)


def test_accounts_that_agree_are_good() -> None:
    assert verdict().good
    assert json.loads(verdict().as_json()) == {
        "sent": 3,
        "acknowledged": 3,
        "stored": 2,
        "duplicates": 0,
        "stale": 0,
        "parked": 0,
        "lost": 0,
        "seconds": 1.3,
    }


@pytest.mark.parametrize(
    ("standing", "told"),
    [
        (replace(STANDING, records=2), "1 acknowledged records are not in the topic"),
        (replace(STANDING, lag=4), "4 records were not consumed"),
        (replace(STANDING, outcomes=STANDING.outcomes | {"parked": 1}), "1 good records were parked"),
        (replace(STANDING, outcomes=STANDING.outcomes | {"passed": 0}), "0 records passed, not 1"),
        (replace(STANDING, unbalanced=(3,)), "the outcomes of 1 partitions don't sum to their records"),
    ],
)
def test_each_disagreement_spoils_the_verdict(standing: Standing, told: str) -> None:
    assert not verdict(standing).good
    assert verdict(standing).differences == (told,)


def test_a_retry_may_have_left_a_record_more() -> None:
    standing = replace(STANDING, records=4, outcomes=STANDING.outcomes | {"passed": 2})
    assert verdict(standing, tally=Tally(sent=3, acknowledged=3, retries=1)).good


def test_a_difference_a_loss_or_an_unsettled_delivery_spoils_it() -> None:
    unequal = Comparison(
        stored=2, lost=0, differences=(Difference("asleep", "a row of a session never sent"),)
    )
    assert not verdict(comparison=unequal).good
    assert not verdict(comparison=replace(EQUAL, lost=1)).good
    assert not verdict(tally=Tally(sent=3, acknowledged=2, unsettled=1)).good


def test_people_are_told_what_differs_and_how_often() -> None:
    many = tuple(Difference("asleep", f"column c{number} differs") for number in range(25))
    text = io.StringIO()
    found = verdict(comparison=Comparison(stored=2, lost=1, differences=(*many, many[7])))
    found.tell(Console(file=text, width=200))
    assert "2 times: asleep: column c7 differs" in text.getvalue()
    assert "and 5 more kinds of differences" in text.getvalue()
    assert "1 lost" in text.getvalue()
