"""The spool: a file on this machine's disk that takes events while Kafka does not."""
