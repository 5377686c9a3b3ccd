-- no transaction
-- The key's columns in an order in which the first one tells rows apart. Tenant and source are the same in nearly
-- every row, so with them in front each of some twenty comparisons on the way down the index looked at three texts.
CREATE UNIQUE INDEX CONCURRENTLY sessions_key ON sessions (session_id, tenant, source);
