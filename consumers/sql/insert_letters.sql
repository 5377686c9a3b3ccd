-- Add the staged dead letters that are not there yet: what was parked twice has one origin, and one row.
WITH added AS (
    INSERT INTO dead_letters (
        stage, reason, detail, source, tenant, origin_topic, origin_topic_id, origin_partition, origin_offset,
        value_sha256, key, value, header_names, header_values, redrives, failed_at,
        kafka_topic_id, kafka_partition, kafka_offset
    )
    SELECT
        stage, reason, detail, source, tenant, origin_topic, origin_topic_id, origin_partition, origin_offset,
        value_sha256, key, value, header_names, header_values, redrives, failed_at,
        kafka_topic_id, kafka_partition, kafka_offset
    FROM letter_stage
    ORDER BY origin_topic_id, origin_partition, origin_offset, value_sha256, kafka_partition, kafka_offset
    ON CONFLICT DO NOTHING
    RETURNING kafka_partition
)
SELECT kafka_partition, count(*) FROM added GROUP BY 1
