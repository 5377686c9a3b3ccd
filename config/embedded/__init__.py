"""Real Kafka, Postgres and Redis from wheels and jars, as child processes."""
