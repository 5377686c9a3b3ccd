"""Events as the sink's polling thread hands them on: read, staged, with their place in the log."""

from uuid import UUID

from confluent_kafka import Message

from consumers.batch import Read
from consumers.decoding import read_of
from schemas.codec import encode
from schemas.event import SessionEvent

TOPIC_ID = UUID(int=7)


def read(event: SessionEvent, offset: int, partition: int = 0) -> Read:
    """This event at this place."""
    message = Message(value=encode(event), key=b"u-1", headers=[("a", b"b")])
    return read_of(message, (TOPIC_ID, partition, offset))[0]
