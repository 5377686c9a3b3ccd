-- How far the sinks are.
SELECT partition, topic_id, next_offset
FROM {live}.consumer_offsets
WHERE consumer_group = %(group)s AND topic = %(topic)s
