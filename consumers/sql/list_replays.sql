-- The newest replays, or one, and whether a process is at each.
SELECT r.id, r.kind, r.state, r.phase, r.asked, r.origin_topic, r.partitions, r.begins, r.ends,
       r.next_offsets, r.figures, r.created_at, r.changed_at,
       EXISTS (
           SELECT FROM pg_locks AS l
           WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 -- of two numbers
             AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
             AND l.classid = %(class)s::integer::oid AND l.objid = r.id::integer::oid
       ) AS running
FROM replays AS r
WHERE %(id)s::bigint IS NULL OR r.id = %(id)s
ORDER BY r.id DESC
LIMIT %(limit)s
