"""HTTP in, Kafka out: the relay."""
