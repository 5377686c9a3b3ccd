-- What of it the fold still has before it.
SELECT s.partition, greatest(s.first, o.next_offset), s.behind
FROM {shadow}.spans AS s
JOIN {shadow}.consumer_offsets AS o USING (partition)
WHERE o.consumer_group = %(group)s AND o.topic = %(topic)s AND o.next_offset < s.behind
