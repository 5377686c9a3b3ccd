"""A fuzzer of the relay: raw requests, valid and not, each with a model of the answers that are right."""
