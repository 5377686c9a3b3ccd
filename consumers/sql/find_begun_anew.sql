-- Partitions with which sinks have begun anew since the shadow was made: their topic was recreated, or their log
-- was cut, and what sinks count begins at 0 again. (As JSON, since older shadows have not noted what was written.)
SELECT l.partition
FROM {live}.consumer_offsets AS l
LEFT JOIN {shadow}.offsets_before AS b USING (consumer_group, topic, partition)
WHERE l.consumer_group = %(group)s AND l.topic = %(topic)s AND CASE
    WHEN l.topic_id = b.topic_id
    THEN l.next_offset < b.next_offset OR l.written < coalesce((to_jsonb(b) ->> 'written')::bigint, 0)
    ELSE l.topic_id <> %(topic_id)s
END
ORDER BY 1
