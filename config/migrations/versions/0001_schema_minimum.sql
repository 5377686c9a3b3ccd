-- The oldest software that can work with this database: its newest migration must not be below
-- min_version. A migration that breaks older roles raises it.

CREATE TABLE schema_minimum (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    min_version integer NOT NULL
);

INSERT INTO schema_minimum (min_version) VALUES (1);
