-- Every row that is in one table only, or not the same in both: its key, the columns that differ, and whether
-- the live one would win over the other, by the order of state_order.sql: then a swap would turn it back.
CREATE TEMPORARY TABLE difference ON COMMIT DROP AS
SELECT coalesce(l.tenant, s.tenant) AS tenant,
       coalesce(l.source, s.source) AS source,
       coalesce(l.session_id, s.session_id) AS session_id,
       CASE WHEN l.tenant IS NULL THEN 'only_in_log' WHEN s.tenant IS NULL THEN 'only_in_table'
            ELSE 'differing' END AS kind,
       CASE WHEN l.tenant IS NULL OR s.tenant IS NULL THEN '{{}}'
            ELSE array_remove(ARRAY[{cases}], NULL) END AS columns,
       l.tenant IS NOT NULL AND s.tenant IS NOT NULL AND {order_of_live} > {order_of_shadow} AS turned_back
FROM {live}.sessions AS l
FULL JOIN {shadow}.sessions AS s
  ON l.tenant = s.tenant AND l.source = s.source AND l.session_id = s.session_id
WHERE l.tenant IS NULL OR s.tenant IS NULL OR ({of_live}) IS DISTINCT FROM ({of_shadow})
