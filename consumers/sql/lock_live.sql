-- Readers and sinks wait from here until COMMIT; what a sink has begun ends first.
LOCK TABLE {live}.sessions IN ACCESS EXCLUSIVE MODE;
LOCK TABLE {live}.consumer_offsets IN EXCLUSIVE MODE
