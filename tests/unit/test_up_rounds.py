"""An outage of what the demo looks at is shown, and ends nothing."""

import asyncio

from config.sections import KafkaSettings
from session_relay.up.board import View
from session_relay.up.observer import Observer
from session_relay.up.rounds import Rounds
from session_relay.up.setting import Ports, Setting

NOWHERE = "postgresql://postgres@127.0.0.1:9/x"


def test_a_database_that_is_away_is_trouble_and_no_end() -> None:
    view = View({})
    with Observer(KafkaSettings(bootstrap_servers="127.0.0.1:9"), NOWHERE, "t") as observer:
        rounds = Rounds(Setting.drawn(Ports()), "http://127.0.0.1:9", observer, view)
        assert asyncio.run(rounds.look()) is None
    assert "It can't be seen now" in view.trouble
