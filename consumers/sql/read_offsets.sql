-- How far this group has applied each of these partitions.
SELECT partition, topic_id, next_offset
FROM consumer_offsets
WHERE consumer_group = %(group)s AND topic = %(topic)s AND partition = ANY (%(partitions)s)
