-- The probe of an open circuit: a real write, so that a full disk or a replica does not pass for health.
UPDATE consumer_offsets
SET updated_at = now()
WHERE (consumer_group, topic, partition) IN (
    SELECT consumer_group, topic, partition
    FROM consumer_offsets
    WHERE consumer_group = %(group)s AND topic = %(topic)s AND partition = ANY (%(partitions)s)
    ORDER BY partition -- as the fence
    FOR UPDATE
)
