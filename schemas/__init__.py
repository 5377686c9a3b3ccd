"""The Avro contract: schemas, codec, headers."""
