-- A connection's own staging table, made once: COPY fills it, the upsert reads it, COMMIT empties it.
-- Client data arrives here before any shared row is locked, so a client that freezes in the middle of
-- COPY holds nothing that others wait for.
CREATE TEMPORARY TABLE IF NOT EXISTS stage (
    LIKE sessions INCLUDING DEFAULTS,
    folded boolean NOT NULL
) ON COMMIT DELETE ROWS
