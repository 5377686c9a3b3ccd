"""Writing a record's Avro body in one pass: the schema is turned into functions once, at import.

fastavro finds a union's branch by trying values against it, which costs more than the writing itself:
for an event of the relay it takes twice as long as this. What is written is byte for byte the same, and a
property test holds the two together. Values are checked before they come here.

Source: Apache Avro 1.12, "Binary Encoding".
"""

import struct
from collections.abc import Callable, Mapping
from typing import Any, Final

Write = Callable[[Any], bytes]

_NULL: Final = b"\x00"
_VALUE: Final = b"\x02"
"""Index of a union's second branch; all unions here are null or one type."""
_DOUBLE: Final = struct.Struct("<d").pack


def _long(number: int) -> bytes:
    zigzag = (number << 1) ^ (number >> 63)
    out = bytearray()
    while zigzag > 0x7F:  # noqa: PLR2004 - seven bits a byte
        out.append(zigzag & 0x7F | 0x80)
        zigzag >>= 7
    out.append(zigzag)
    return bytes(out)


_SMALL: Final = tuple(_long(number) for number in range(4096))
"""Lengths, sequences and the like."""


def _number(number: int) -> bytes:
    return _SMALL[number] if 0 <= number < len(_SMALL) else _long(number)


def _bytes(value: bytes) -> bytes:
    return _number(len(value)) + value


def _string(value: str) -> bytes:
    return _bytes(value.encode())


def _map_of(write: Write) -> Write:
    def write_map(told: Mapping[str, Any]) -> bytes:
        if not told:
            return _NULL
        entries = b"".join([_string(key) + write(value) for key, value in told.items()])
        return _number(len(told)) + entries + _NULL

    return write_map


def _optional(write: Write) -> Write:
    return lambda value: _NULL if value is None else _VALUE + write(value)


def _enum(symbols: list[str]) -> Write:
    written = {symbol: _number(index) for index, symbol in enumerate(symbols)}
    return written.__getitem__


_PLAIN: Final[dict[str, Write]] = {
    "string": _string,
    "bytes": _bytes,
    "long": _number,
    "int": _number,
    "double": _DOUBLE,
}


def writer_of(schema: Any) -> Write:
    """The function that writes values of a parsed schema; a record's fields are read as attributes.

    Raises:
        ValueError: The schema has a type that no event needs so far.
    """
    match schema:
        case str() if schema in _PLAIN:
            return _PLAIN[schema]
        case ["null", inner]:
            return _optional(writer_of(inner))
        case {"type": "enum", "symbols": symbols}:
            return _enum(symbols)
        case {"type": "map", "values": inner}:
            return _map_of(writer_of(inner))
        case {"type": "record", "fields": fields}:
            return _record([(field["name"], writer_of(field["type"])) for field in fields])
        case {"type": str() as inner}:
            return writer_of(inner)
    raise ValueError(f"no writer for {schema}")


def _record(fields: list[tuple[str, Write]]) -> Write:
    return lambda value: b"".join([write(getattr(value, name)) for name, write in fields])
