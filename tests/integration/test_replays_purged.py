"""Replays that ended long ago leave the table; those that go on, or whose tables are there, stay."""

import pytest

from tests.eventually import eventually
from tests.sink_rig import SinkRig

pytestmark = pytest.mark.integration

NOTED = """
INSERT INTO replays (kind, state, phase, asked, origin_topic, origin_topic_id, partitions, begins, ends,
                     next_offsets, changed_at)
SELECT 'rebuild', state, 'x', '{}', 't', gen_random_uuid(), '{}', '{}', '{}', '{}',
       now() - days * interval '1 day'
FROM (VALUES ('done', 40), ('cancelled', 40), ('unfinished', 40),
             ('done', 38), ('cancelled', 40), ('done', 40)) AS v (state, days)
"""


def test_ended_ones_are_removed_by_age_and_those_with_a_table_never(rig: SinkRig) -> None:
    rig.query(NOTED)
    rig.query("CREATE SCHEMA rebuild_5")
    rig.query("CREATE SCHEMA replaced_6")
    rig.start(SINK__REPLAYS_KEEP_DAYS="39")
    ids = "SELECT id FROM replays ORDER BY id"
    eventually(lambda: rig.query(ids) == [(3,), (4,), (5,), (6,)])
    rig.query("DROP SCHEMA rebuild_5; DROP SCHEMA replaced_6")
    rig.start(SINK__REPLAYS_KEEP_DAYS="39")
    eventually(lambda: rig.query(ids) == [(3,), (4,)])
