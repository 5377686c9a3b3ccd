-- Every row that is in one table only, or not the same in both: its key, the columns that differ, and whether
-- the live one would win over the other, by the rule of upsert_sessions.sql: then a swap would turn it back.
CREATE TEMPORARY TABLE difference ON COMMIT DROP AS
SELECT coalesce(l.tenant, s.tenant) AS tenant,
       coalesce(l.source, s.source) AS source,
       coalesce(l.session_id, s.session_id) AS session_id,
       CASE WHEN l.tenant IS NULL THEN 'only_in_log' WHEN s.tenant IS NULL THEN 'only_in_table'
            ELSE 'differing' END AS kind,
       CASE WHEN l.tenant IS NULL OR s.tenant IS NULL THEN '{{}}'
            ELSE array_remove(ARRAY[{cases}], NULL) END AS columns,
       l.tenant IS NOT NULL AND s.tenant IS NOT NULL AND (
           array_position(ARRAY['SESSION_STARTED', 'INFERENCE_COMPLETE', 'SESSION_FAILED', 'SESSION_COMPLETE', 'SESSION_DELETED'], l.type),
           l.sequence,
           CASE WHEN l.occurred_at > l.received_at + interval '24 hours' THEN 'epoch' ELSE l.occurred_at END,
           l.received_at, l.normaliser, l.event_id
       ) > (
           array_position(ARRAY['SESSION_STARTED', 'INFERENCE_COMPLETE', 'SESSION_FAILED', 'SESSION_COMPLETE', 'SESSION_DELETED'], s.type),
           s.sequence,
           CASE WHEN s.occurred_at > s.received_at + interval '24 hours' THEN 'epoch' ELSE s.occurred_at END,
           s.received_at, s.normaliser, s.event_id
       ) AS turned_back
FROM {live}.sessions AS l
FULL JOIN {shadow}.sessions AS s
  ON l.tenant = s.tenant AND l.source = s.source AND l.session_id = s.session_id
WHERE l.tenant IS NULL OR s.tenant IS NULL OR ({of_live}) IS DISTINCT FROM ({of_shadow})
