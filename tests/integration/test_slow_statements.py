"""A statement that runs into its time-out: half as much is tried, and more again later; nothing is parked."""

from collections.abc import Iterator

import pytest

from config.embedded.services import EmbeddedServices
from consumers.fates import PostgresUnavailable
from tests.applying import Applying, applying
from tests.events import made

pytestmark = pytest.mark.integration

IDLE = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND state = 'idle in transaction'"
)
SLOW = (
    "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN PERFORM pg_sleep({seconds}); RETURN NEW; END $$"
)
TOO_SLOW_WITH = (
    "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN IF (SELECT count(*) FROM these) > {more_than} THEN PERFORM pg_sleep(60); END IF;"
    " RETURN NULL; END $$"
)
"""By the rows of a statement, not by the time that they take: that is the machine's."""


@pytest.fixture
def apply(services: EmbeddedServices, topic: str, database_url: str) -> Iterator[Applying]:
    kafka = services.addresses.kafka_bootstrap_servers
    with applying(database_url, kafka, topic, timeout_s=0.4) as made_here:
        yield made_here


def be_slow(apply: Applying, seconds_a_row: float) -> None:
    apply.query(SLOW.format(seconds=seconds_a_row))
    apply.query("CREATE TRIGGER slow BEFORE INSERT ON sessions FOR EACH ROW EXECUTE FUNCTION slow()")


def test_the_batch_is_halved_until_it_fits_and_grows_back(
    services: EmbeddedServices, topic: str, database_url: str
) -> None:
    kafka = services.addresses.kafka_bootstrap_servers
    with applying(database_url, kafka, topic, timeout_s=2) as apply:
        apply.query(TOO_SLOW_WITH.format(more_than=20))
        apply.query(
            "CREATE TRIGGER slow AFTER INSERT ON sessions REFERENCING NEW TABLE AS these"
            " FOR EACH STATEMENT EXECUTE FUNCTION slow()"
        )
        assert apply([made(session=f"s-{n}") for n in range(100)]) == {"written": 100}
        assert max(apply.settled) <= 20
        assert min(apply.settled[:-1]) >= 5
        apply.query("DROP TRIGGER slow ON sessions")
        for turn in range(8):
            apply([made(session=f"t-{turn}-{n}") for n in range(400)])
        assert apply.settled[-1] == 400
        assert apply.sums() == {"written": 100 + 8 * 400}


def test_what_is_written_in_pieces_is_not_held_ahead_as_a_whole(apply: Applying) -> None:
    held: list[int] = []
    be_slow(apply, 0.02)
    apply([made(session=f"s-{n}") for n in range(40)])
    apply.query("DROP TRIGGER slow ON sessions")
    whole = len(apply.settled)
    apply.at_settled = lambda: held.append(apply.query(IDLE)[0][0])
    apply([made(session=f"t-{n}") for n in range(40)])
    assert len(apply.settled) > whole + 1
    assert set(held) == {0}


def test_one_row_that_takes_too_long_is_an_outage_and_never_poison(apply: Applying) -> None:
    be_slow(apply, 5)
    with pytest.raises(PostgresUnavailable, match="57014"):
        apply([made(session=f"s-{n}") for n in range(3)])
    assert apply.sums() == {}
    apply.query("DROP TRIGGER slow ON sessions")
    apply.next = 0  # the table says where to go on
    assert apply([made(session=f"s-{n}") for n in range(3)]) == {"written": 3}


def test_what_was_written_of_a_batch_before_an_outage_stays_written(apply: Applying) -> None:
    apply.query(SLOW.format(seconds=5))
    apply.query(
        "CREATE TRIGGER slow BEFORE INSERT ON sessions FOR EACH ROW"
        " WHEN (NEW.session_id = 's-3') EXECUTE FUNCTION slow()"
    )
    with pytest.raises(PostgresUnavailable):
        apply([made(session=f"s-{n}") for n in range(4)])
    assert apply.sums() == {"written": 3}


def test_a_rejected_record_among_slow_ones_is_parked_once(apply: Applying) -> None:
    be_slow(apply, 0.02)
    apply.query("ALTER TABLE sessions ADD CHECK (sequence <> 666)")
    log = [made(session=f"s-{n}", sequence=666 if n == 30 else 1) for n in range(40)]
    assert apply(log) == {"written": 39, "parked": 1}
