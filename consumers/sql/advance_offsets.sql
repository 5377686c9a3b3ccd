-- Move the fenced partitions on and add what became of their records. After a recreated or a cut log
-- (restart) everything begins anew.
UPDATE consumer_offsets AS o
SET topic_id     = e.topic_id,
    next_offset  = e.next_offset,
    first_offset = CASE WHEN e.restart THEN e.first_offset ELSE o.first_offset END,
    gaps         = e.gaps      + CASE WHEN e.restart THEN 0 ELSE o.gaps END,
    written      = e.written   + CASE WHEN e.restart THEN 0 ELSE o.written END,
    duplicate    = e.duplicate + CASE WHEN e.restart THEN 0 ELSE o.duplicate END,
    stale        = e.stale     + CASE WHEN e.restart THEN 0 ELSE o.stale END,
    passed       = e.passed    + CASE WHEN e.restart THEN 0 ELSE o.passed END,
    parked       = e.parked    + CASE WHEN e.restart THEN 0 ELSE o.parked END,
    erased       = e.erased    + CASE WHEN e.restart THEN 0 ELSE o.erased END,
    updated_at   = now()
FROM unnest(
         %(partitions)s::integer[], %(topic_ids)s::uuid[], %(next_offsets)s::bigint[],
         %(first_offsets)s::bigint[], %(restarts)s::boolean[], %(gaps)s::bigint[],
         %(written)s::bigint[], %(duplicate)s::bigint[], %(stale)s::bigint[],
         %(passed)s::bigint[], %(parked)s::bigint[], %(erased)s::bigint[]
     ) AS e (partition, topic_id, next_offset, first_offset, restart, gaps,
             written, duplicate, stale, passed, parked, erased)
WHERE o.consumer_group = %(group)s AND o.topic = %(topic)s AND o.partition = e.partition
