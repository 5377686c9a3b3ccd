-- Conditional upsert: a staged event replaces the row whole if it wins, else it leaves it alone. The rule is that
-- of consumers/fold.py: an event that the row remembers is a duplicate; otherwise the greater of (rank of type,
-- sequence, occurred_at, received_at, normaliser, event_id) wins, by state_order.sql. Rows go in by key, so that
-- two writers never wait for each other in a circle; the session's id comes first, as it tells rows apart at one
-- look (a twentieth of the time). `folded` are the keys that the batch held several times: their staged row is
-- already the winner of them all, with the ids of all that were written; where these are several, they may have
-- displaced its own id from what the row remembers, and whether it is a duplicate was decided in the fold.
INSERT INTO sessions (
    tenant, source, session_id, user_id, event_id,
    type, sequence, occurred_at, received_at, normaliser,
    session_start_time, session_end_time, timezone, utc_offset_seconds, sleep_stages, epoch_seconds,
    time_in_bed, time_in_sleep, time_in_wake, time_in_light, time_in_deep,
    time_in_rem, sleep_latency, sleep_efficiency, waso_count, statistics,
    attributes, kafka_topic_id, kafka_partition, kafka_offset, applied_event_ids
)
SELECT
    tenant, source, session_id, user_id, event_id,
    type, sequence, occurred_at, received_at, normaliser,
    session_start_time, session_end_time, timezone, utc_offset_seconds, sleep_stages, epoch_seconds,
    time_in_bed, time_in_sleep, time_in_wake, time_in_light, time_in_deep,
    time_in_rem, sleep_latency, sleep_efficiency, waso_count, statistics,
    attributes, kafka_topic_id, kafka_partition, kafka_offset, applied_event_ids
FROM stage
WHERE folded = %(folded)s
ORDER BY session_id, tenant, source
ON CONFLICT (tenant, source, session_id) DO UPDATE SET
    user_id = excluded.user_id,
    event_id = excluded.event_id,
    type = excluded.type,
    sequence = excluded.sequence,
    occurred_at = excluded.occurred_at,
    received_at = excluded.received_at,
    normaliser = excluded.normaliser,
    session_start_time = excluded.session_start_time,
    session_end_time = excluded.session_end_time,
    timezone = excluded.timezone,
    utc_offset_seconds = excluded.utc_offset_seconds,
    sleep_stages = excluded.sleep_stages,
    epoch_seconds = excluded.epoch_seconds,
    time_in_bed = excluded.time_in_bed,
    time_in_sleep = excluded.time_in_sleep,
    time_in_wake = excluded.time_in_wake,
    time_in_light = excluded.time_in_light,
    time_in_deep = excluded.time_in_deep,
    time_in_rem = excluded.time_in_rem,
    sleep_latency = excluded.sleep_latency,
    sleep_efficiency = excluded.sleep_efficiency,
    waso_count = excluded.waso_count,
    statistics = excluded.statistics,
    attributes = excluded.attributes,
    kafka_topic_id = excluded.kafka_topic_id,
    kafka_partition = excluded.kafka_partition,
    kafka_offset = excluded.kafka_offset,
    applied_event_ids = (sessions.applied_event_ids || excluded.applied_event_ids)
        [greatest(1, cardinality(sessions.applied_event_ids) + cardinality(excluded.applied_event_ids) - 15) :],
    updated_at = now()
WHERE (cardinality(excluded.applied_event_ids) > 1 OR excluded.event_id <> ALL (sessions.applied_event_ids))
  AND {order_of_staged} > {order_of_row}
