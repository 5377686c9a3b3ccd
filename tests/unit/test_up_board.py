"""The table on a terminal, and lines elsewhere."""

import io

from rich.console import Console

from session_relay.simulate.sender import Tally
from session_relay.up.board import Board, View
from session_relay.up.observer import OUTCOMES, Standing

STANDING = Standing(
    records=30,
    lag=7,
    outcomes=dict.fromkeys(OUTCOMES, 0) | {"duplicate": 1234, "stale": 5, "parked": 6},
    stored=4321,
    unbalanced=(),
)
ADDRESSES = {"relay": "http://127.0.0.1:8080/webhooks/asleep", "database": "postgresql://127.0.0.1/x"}


def view() -> View:
    return View(ADDRESSES, phase="sending", tally=Tally(sent=11, acknowledged=10), standing=STANDING)


def test_a_terminal_gets_a_table_with_figures_and_addresses() -> None:
    text = io.StringIO()
    with Board(Console(file=text, force_terminal=True, width=120), view()) as board:
        board.show()
    for shown in ("sent", "acknowledged", "1,234", "4,321", *ADDRESSES.values(), "sending"):
        assert shown in text.getvalue()


def test_elsewhere_a_line_is_printed_at_once_for_a_new_phase_and_seldom_otherwise() -> None:
    text = io.StringIO()
    with Board(Console(file=text, width=40), view()) as board:
        board.show()
        board.show()
        board.phase("waiting")
        board.show()
    lines = text.getvalue().splitlines()
    assert [line.split(":")[0] for line in lines] == ["sending", "waiting"]
    assert "sent 11, acknowledged 10, stored rows 4,321, duplicates 1,234" in lines[0]
    assert "lag 7" in lines[0]


def test_what_can_not_be_seen_is_told_on_both() -> None:
    for terminal in (True, False):
        text, shown = io.StringIO(), view()
        shown.trouble = "Kafka does not answer"
        with Board(Console(file=text, force_terminal=terminal, width=120), shown) as board:
            board.show()
        assert "Kafka does not answer" in text.getvalue()


def test_a_round_shows_what_it_gained() -> None:
    before = Standing(records=10, lag=0, outcomes=dict.fromkeys(OUTCOMES, 1), stored=4000, unbalanced=())
    gained = STANDING.since(before)
    assert (gained.records, gained.stored, gained.outcomes["duplicate"], gained.lag) == (20, 321, 1233, 7)
