"""The rig's own history of rows sees what went backwards for a moment, though the table looks well again."""

import uuid
from collections.abc import Iterator

import psycopg
import pytest

from tests.events import made
from tests.row_history import counted_twice, install, offsets_went_back, regressed, unbalanced
from tests.sink_rig import SinkRig

pytestmark = pytest.mark.integration
NEXT = "UPDATE consumer_offsets SET next_offset = next_offset {}, written = written {} WHERE next_offset > 0"
KIND = "UPDATE sessions SET type = '{}', event_id = '{}' WHERE session_id = 's-1'"


@pytest.fixture
def watched(rig: SinkRig) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    install(rig.database_url)
    with psycopg.connect(rig.database_url, autocommit=True) as connection:
        yield connection


def test_a_sink_leaves_a_history_without_a_flaw_and_each_flaw_is_seen(
    rig: SinkRig, watched: psycopg.Connection[tuple[object, ...]]
) -> None:
    rig.publish(made(session=f"s-{n % 5}", sequence=n) for n in range(50))
    rig.start(SINK__BATCH_ROWS="7")
    rig.wait_until_done(50)
    seen = [regressed(watched), offsets_went_back(watched), unbalanced(watched), counted_twice(watched)]
    assert seen == [0, 0, 0, 0]
    rig.query(KIND.format("SESSION_STARTED", uuid.uuid4()))  # lower for a moment
    rig.query(KIND.format("SESSION_COMPLETE", uuid.uuid4()))
    assert regressed(watched) == 1
    rig.query(NEXT.format("- 3", "- 3"))
    rig.query(NEXT.format("+ 3", "+ 3"))
    assert (offsets_went_back(watched), unbalanced(watched)) == (1, 0)
    rig.query(NEXT.format("+ 0", "+ 2"))
    rig.query(NEXT.format("+ 0", "- 2"))
    assert (unbalanced(watched), counted_twice(watched)) == (1, 2)
