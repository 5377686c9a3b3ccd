-- A table like the live one, and its own progress. Indexes other than those of constraints come later. Where
-- the sinks are is noted before any row is read; `spans` will say what could be read then.
CREATE SCHEMA {shadow};
CREATE TABLE {shadow}.sessions (LIKE {live}.sessions INCLUDING ALL EXCLUDING INDEXES);
CREATE TABLE {shadow}.consumer_offsets (LIKE {live}.consumer_offsets INCLUDING ALL);
CREATE TABLE {shadow}.spans (partition integer, first bigint, behind bigint);
CREATE TABLE {shadow}.offsets_before AS
SELECT consumer_group, topic, partition, topic_id, next_offset, written FROM {live}.consumer_offsets
