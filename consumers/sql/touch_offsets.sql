-- The probe of an open circuit: a real write, so that a full disk or a replica does not pass for health.
UPDATE consumer_offsets
SET updated_at = now()
WHERE consumer_group = %(group)s AND topic = %(topic)s AND partition = ANY (%(partitions)s)
