-- A table like the live one, and its own progress. Indexes other than those of constraints come later.
CREATE SCHEMA {shadow};
CREATE TABLE {shadow}.sessions (LIKE {live}.sessions INCLUDING ALL EXCLUDING INDEXES);
CREATE TABLE {shadow}.consumer_offsets (LIKE {live}.consumer_offsets INCLUDING ALL)
