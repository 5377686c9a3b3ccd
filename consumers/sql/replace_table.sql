-- The former table goes into a schema of its own, with its indexes; the new one comes, with the same names.
CREATE SCHEMA {former};
ALTER TABLE {live}.sessions SET SCHEMA {former};
ALTER TABLE {shadow}.sessions SET SCHEMA {live};
DROP SCHEMA {shadow} CASCADE
