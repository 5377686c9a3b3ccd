"""Kafka's errors by what they mean for a record (kafka.apache.org/protocol; librdkafka's have a _)."""

from typing import Final

from confluent_kafka import KafkaError

TOO_LARGE: Final = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE})
WITHDRAWN: Final = frozenset({KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT})  # noqa: SLF001 - names of the library
REFUSED_FOR_GOOD: Final = TOO_LARGE | {KafkaError.INVALID_RECORD, KafkaError.INVALID_TIMESTAMP}
"""What is wrong with the record itself; anything else somebody can mend."""
TOPIC_SHUT: Final = frozenset(
    {
        KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001 - likewise
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
    }
)
"""The topic is not there, or takes nothing from us. Events wait until somebody mends it; a dead letter, which
has no place in any order, steps aside."""
MENDABLE: Final = frozenset(KafkaError(code).name() for code in TOPIC_SHUT)
"""Their names: reasons for which a dead letter is set aside until it is tried again."""
SHUT_TO_DEAD_LETTERS: Final = "dead_letters_refused"
"""Why a delivery with bad items is refused meanwhile."""
