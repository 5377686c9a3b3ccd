"""A record with a header that Python's client refuses to write, by way of the librdkafka in its wheel."""

import ctypes
import struct
from pathlib import Path
from typing import Final

import confluent_kafka

_TOPIC, _VALUE, _FLAGS, _HEADER = 1, 4, 7, 9
"""rd_kafka_vtype_t in librdkafka's rdkafka.h; each argument is a tag and a union of 64 bytes."""
_COPY: Final = 2
_SENT_MS: Final = 10_000


def produce_with_header(servers: str, topic: str, value: bytes, name: bytes) -> None:
    """Publish one record with one header of this name, whatever its bytes are, and wait for Kafka."""
    wheels = Path(confluent_kafka.__file__).parent.with_name("confluent_kafka.libs")
    (path,) = wheels.glob("librdkafka-*.so*")
    library = ctypes.CDLL(str(path))
    for made in (library.rd_kafka_conf_new, library.rd_kafka_new, library.rd_kafka_produceva):
        made.restype = ctypes.c_void_p
    problem = ctypes.create_string_buffer(512)
    options = ctypes.c_void_p(library.rd_kafka_conf_new())
    given = (options, b"bootstrap.servers", servers.encode(), problem, len(problem))
    assert library.rd_kafka_conf_set(*given) == 0
    producer = ctypes.c_void_p(library.rd_kafka_new(0, options, problem, len(problem)))
    kept = [ctypes.create_string_buffer(text) for text in (topic.encode(), value, name, b"v")]
    topic_at, value_at, name_at, header_at = (ctypes.addressof(text) for text in kept)
    arguments = (
        _argument(_TOPIC, "<Q", topic_at)
        + _argument(_FLAGS, "<i", _COPY)
        + _argument(_VALUE, "<QQ", value_at, len(value))
        + _argument(_HEADER, "<QQq", name_at, header_at, 1)
    )
    assert library.rd_kafka_produceva(producer, ctypes.create_string_buffer(arguments), 4) is None
    assert library.rd_kafka_flush(producer, _SENT_MS) == 0
    library.rd_kafka_destroy(producer)


def _argument(tag: int, layout: str, *told: int) -> bytes:
    return struct.pack("<i4x", tag) + struct.pack(layout, *told).ljust(64, b"\x00")
