-- A connection's own staging table for dead letters, as `stage` is for events: client data is awaited here,
-- before any shared row is locked.
CREATE TEMPORARY TABLE IF NOT EXISTS letter_stage
ON COMMIT DELETE ROWS
AS SELECT
    stage, reason, detail, source, tenant, origin_topic, origin_topic_id, origin_partition, origin_offset,
    value_sha256, key, value, header_names, header_values, redrives, failed_at,
    kafka_topic_id, kafka_partition, kafka_offset
FROM dead_letters
WITH NO DATA
