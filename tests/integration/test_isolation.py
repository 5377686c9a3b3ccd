"""What Postgres rejects is found by bisection and parked; its neighbours are written."""

import random
from collections.abc import Iterator
from math import ceil, log2

import msgspec
import pytest

from config.embedded.services import EmbeddedServices
from config.errors import Poison
from consumers.isolate import bisect
from schemas.event import SessionEvent
from tests.applying import Applying, applying, rows
from tests.events import expected_of, history, made
from tests.integration.test_sink import read_all

pytestmark = pytest.mark.integration

BAD = 666
REFUSES = f"ALTER TABLE sessions ADD CONSTRAINT no_beast CHECK (sequence <> {BAD})"


@pytest.fixture
def apply(services: EmbeddedServices, topic: str, database_url: str) -> Iterator[Applying]:
    with applying(database_url, services.addresses.kafka_bootstrap_servers, topic) as made_here:
        yield made_here


def night(number: int, *, bad: bool = False) -> SessionEvent:
    return made(session=f"s-{number}", sequence=BAD if bad else 1)


@pytest.mark.parametrize(
    ("count", "bad"), [(1, {0}), (2, {1}), (100, {0}), (100, {99}), (1_000, {3, 500, 501})]
)
def test_the_bad_are_parked_their_neighbours_written_and_the_upserts_bounded(
    apply: Applying, count: int, bad: set[int]
) -> None:
    apply.query(REFUSES)
    apply.count_upserts()
    assert apply([night(n, bad=n in bad) for n in range(count)]) == {
        name: number for name, number in {"written": count - len(bad), "parked": len(bad)}.items() if number
    }
    assert rows(apply).keys() == {f"s-{n}" for n in range(count) if n not in bad}
    assert apply.upserts() - 1 <= 2 * len(bad) * ceil(log2(count)) + 1


def test_a_batch_without_bad_records_is_written_with_one_upsert(apply: Applying) -> None:
    apply.count_upserts()
    apply([night(n) for n in range(100)])
    assert apply.upserts() == 1


def test_the_dead_letter_has_the_records_own_bytes_and_names_the_constraint(
    apply: Applying, services: EmbeddedServices, topic: str
) -> None:
    apply.query(REFUSES)
    apply([night(1), night(2, bad=True)])
    (letter,) = read_all(services, f"{topic}.dlq", 1)
    told = letter.headers()
    assert isinstance(told, list)
    headers = dict(told)
    assert headers["a"] == b"b"
    assert headers["dlq-reason"] == b"rejected"
    assert headers["dlq-detail"] == b"CheckViolation (23514), constraint no_beast"
    assert (headers["dlq-origin-offset"], headers["dlq-origin-partition"]) == (b"1", b"0")
    assert letter.key() == b"u-1"


def test_a_session_is_folded_again_without_its_bad_event(apply: Applying) -> None:
    """The bad one would have won; what was behind it wins, as if the bad one had never come."""
    apply.query(REFUSES)
    first, bad, late = (made(session="s", sequence=sequence) for sequence in (1, BAD, 0))
    assert apply([first, bad, late]) == {"written": 1, "stale": 1, "parked": 1}
    assert rows(apply) == {"s": (first.event_id, [first.event_id])}


def test_several_bad_events_of_one_session_are_found_one_behind_the_other(apply: Applying) -> None:
    apply.query("ALTER TABLE sessions ADD CHECK (sequence < 600)")
    events = [made(session="s", sequence=sequence) for sequence in (1, 601, 603, 602)]
    assert apply(events) == {"written": 1, "parked": 3}
    assert rows(apply)["s"][0] == events[0].event_id


@pytest.mark.parametrize("seed", range(6))
def test_a_log_with_bad_events_leaves_what_the_log_without_them_would(apply: Applying, seed: int) -> None:
    """Bad are the sequences of 2, which win wherever they come, so that none is overtaken unseen."""
    apply.query("ALTER TABLE sessions ADD CHECK (sequence < 2)")
    chance = random.Random(seed)
    log = [
        event
        for event in history(chance, 120, sessions=30)
        if event.type.value in {"SESSION_COMPLETE", "UNKNOWN"}
    ]
    good = [event for event in log if event.sequence < 2 or event.type.value == "UNKNOWN"]
    assert len(good) < len(log)
    sums = apply(log)
    expected = expected_of(good)
    assert rows(apply) == expected.rows
    assert sums == {n: c for n, c in (expected.outcomes | {"parked": len(log) - len(good)}).items() if c}


def test_a_trigger_that_refuses_is_poison_too(apply: Applying) -> None:
    apply.query(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF NEW.sequence = {BAD} THEN RAISE 'not this one'; END IF; RETURN NEW; END $$"
    )
    apply.query("CREATE TRIGGER refuses BEFORE INSERT ON sessions FOR EACH ROW EXECUTE FUNCTION refuse()")
    assert apply([night(n, bad=n == 3) for n in range(8)]) == {"written": 7, "parked": 1}


def test_a_constraint_that_waits_for_commit_is_found_as_well(apply: Applying) -> None:
    apply.query("CREATE TABLE known (sequence bigint PRIMARY KEY)")
    apply.query("INSERT INTO known VALUES (1)")
    apply.query(
        "ALTER TABLE sessions ADD FOREIGN KEY (sequence) REFERENCES known DEFERRABLE INITIALLY DEFERRED"
    )
    assert apply([night(n, bad=n == 3) for n in range(8)]) == {"written": 7, "parked": 1}


def test_of_two_records_that_only_clash_together_the_later_is_parked(apply: Applying) -> None:
    apply.query(f"CREATE UNIQUE INDEX ON sessions (sequence) WHERE sequence = {BAD}")
    assert apply([night(n, bad=n in {2, 6}) for n in range(8)]) == {"written": 7, "parked": 1}
    assert "s-2" in rows(apply)


def test_a_value_too_long_for_its_index_is_parked(apply: Applying) -> None:
    chance = random.Random(1)
    word = "".join(chr(chance.randrange(0x10000, 0x1F000)) for _ in range(2_000))
    apply.query("CREATE INDEX ON sessions ((attributes ->> 'word'))")
    long = msgspec.structs.replace(night(2), attributes={"word": word})
    assert apply([night(1), long, night(3)]) == {"written": 2, "parked": 1}


def test_what_no_record_alone_explains_is_a_bug_and_writes_nothing(apply: Applying) -> None:
    apply.query("ALTER TABLE consumer_offsets ADD CHECK (next_offset < 3)")
    with pytest.raises(RuntimeError, match="no record of it"):
        apply([night(n) for n in range(5)])
    assert rows(apply) == {}


@pytest.mark.parametrize("seed", range(20))
def test_bisection_finds_each_bad_one_and_keeps_within_its_bound(seed: int) -> None:
    chance = random.Random(seed)
    count = chance.randrange(1, 200)
    bad = set(chance.sample(range(count), chance.randrange(1, min(count, 9) + 1)))
    kept: list[int] = []
    attempts = 0

    def attempt(part: object) -> None:
        nonlocal attempts
        attempts += 1
        assert isinstance(part, range)
        if bad & set(part):
            raise Poison("rejected", "bad")
        kept.extend(part)

    found = bisect(range(count), attempt, known_bad=True)
    assert [item for item, _ in found] == sorted(bad)
    assert sorted(kept) == sorted(set(range(count)) - bad)
    assert attempts <= max(1, 2 * len(bad) * ceil(log2(count)))
