-- The fence: lock this batch's partitions in their order, and only those that are exactly where this
-- member left them. A missing row means that somebody else has written since.
SELECT o.partition
FROM consumer_offsets AS o
JOIN unnest(%(partitions)s::integer[], %(topic_ids)s::uuid[], %(next_offsets)s::bigint[])
     AS e (partition, topic_id, next_offset)
  ON o.partition = e.partition AND o.topic_id = e.topic_id AND o.next_offset = e.next_offset
WHERE o.consumer_group = %(group)s AND o.topic = %(topic)s
ORDER BY o.partition
FOR UPDATE OF o
