-- Whether sinks have written since the shadow was made.
SELECT EXISTS (
  SELECT partition, topic_id, next_offset
  FROM {live}.consumer_offsets
  WHERE consumer_group = %(group)s AND topic = %(topic)s
  EXCEPT
  SELECT partition, topic_id, next_offset
  FROM {shadow}.offsets_before
  WHERE consumer_group = %(group)s AND topic = %(topic)s
)
