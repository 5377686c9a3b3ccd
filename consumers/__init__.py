"""Kafka in, Postgres out: the sink."""
