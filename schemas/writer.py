"""Writing a record's Avro body: one expression, generated from the schema once, at import.

fastavro finds a union's branch by trying values against it, which costs more than the writing itself;
calling a function for each field costs as much again. What is generated is what one would write by hand
for this very schema: the pieces of all fields, joined. It is byte for byte what fastavro writes, and a
property test holds the two together. Values are checked before they come here.

Source: Apache Avro 1.12, "Binary Encoding".
"""

import struct
from collections.abc import Callable, Mapping
from typing import Any, Final

Write = Callable[[Any], bytes]
"""Writes a record whose fields are read as attributes."""

_DOUBLE: Final = struct.Struct("<d").pack
_EIGHT_BYTES: Final = range(1 << 49, 1 << 56)
"""Zigzag numbers of eight bytes: all times in microseconds from 1979 to 3111."""


def _long(number: int) -> bytes:
    """Zigzag, then seven bits a byte, the least significant first."""
    z = (number << 1) ^ (number >> 63)
    if z in _EIGHT_BYTES:  # each record has a time or three, and a loop takes three times as long
        low = (z | 128) & 255, (z >> 7 | 128) & 255, (z >> 14 | 128) & 255, (z >> 21 | 128) & 255
        return bytes((*low, (z >> 28 | 128) & 255, (z >> 35 | 128) & 255, (z >> 42 | 128) & 255, z >> 49))
    out = bytearray()
    while z > 0x7F:  # noqa: PLR2004 - seven bits a byte
        out.append(z & 0x7F | 0x80)
        z >>= 7
    out.append(z)
    return bytes(out)


_SMALL: Final = tuple(_long(number) for number in range(4096))
"""Lengths, sequences and the like."""


def _text(value: str) -> bytes:
    encoded = value.encode()
    n = len(encoded)
    return (_SMALL[n] if n < len(_SMALL) else _long(n)) + encoded


def writer_of(schema: Any) -> Write:
    """The function that writes records of a parsed schema.

    Raises:
        ValueError: It is no record, or has a type that no event needs so far.
    """
    if schema["type"] != "record":
        raise ValueError(f"no writer for {schema}")
    source = _Source()
    code = f"def write(r):\n    return join(({source.record('r', schema)}))"
    names: dict[str, Any] = {
        "join": b"".join,
        "small": _SMALL,
        "long": _long,
        "text": _text,
        "double": _DOUBLE,
        **source.constants,
    }
    exec(compile(code, f"<writer of {schema['name']}>", "exec"), names)  # noqa: S102 - generated from our schema
    write: Write = names["write"]
    return write


class _Source:
    """Expressions of the function under way: each is a piece of bytes, or several with commas between."""

    def __init__(self) -> None:
        self.constants: dict[str, Any] = {}

    def record(self, of: str, schema: Any) -> str:
        """All fields of what the expression `of` gives."""
        pieces = [self.value(f"{of}.{field['name']}", field["type"]) for field in schema["fields"]]
        return ", ".join(pieces)

    def value(self, of: str, schema: Any) -> str:
        """What the expression `of` gives; a variable of its own is used where it is needed twice."""
        match schema:
            case "string":
                return self._sized(f"{of}.encode()")
            case "bytes":
                return self._sized(of)
            case "long" | "int":
                return f"small[n] if 0 <= (n := {of}) < {len(_SMALL)} else long(n)"
            case "double":
                return f"double({of})"
            case ["null", inner]:
                return self._optional(of, inner)
        return self._named(of, schema)

    def _named(self, of: str, schema: Any) -> str:
        match schema:
            case {"type": "enum", "symbols": symbols}:
                written = {symbol: _long(index) for index, symbol in enumerate(symbols)}
                return f"{self._constant(written)}[{of}]"
            case {"type": "map", "values": "string"}:
                return f"{self._constant(_text_map)}({of})"
            case {"type": "string" | "bytes" | "long" | "int" | "double" as inner}:
                return self.value(of, inner)
        raise ValueError(f"no writer for {schema}")

    def _constant(self, value: object) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants[name] = value
        return name

    def _sized(self, of: str) -> str:
        return f"small[n] if (n := len(v := {of})) < {len(_SMALL)} else long(n), v"

    def _optional(self, of: str, inner: Any) -> str:
        """A zero where there is nothing; else a 2, the index of the second branch, and the value."""
        if inner == "bytes":
            size = f"small[n] if (n := len(v)) < {len(_SMALL)} else long(n)"
            none, either = "b'' if v is None else ", f"b'\\x00' if (v := {of}) is None else b'\\x02'"
            return f"{either}, {none}{size}, {none}v"
        if inner == "string":
            value = "text(v)"
        elif isinstance(inner, dict) and inner["type"] == "record":
            value = f"{self._constant(writer_of(inner))}(v)"
        else:
            value = self.value("v", inner)
        return f"b'\\x00' if (v := {of}) is None else b'\\x02' + ({value})"


def _text_map(told: Mapping[str, str]) -> bytes:
    """One block of all entries, and the empty one that ends a map."""
    if not told:
        return b"\x00"
    entries = b"".join([_text(text) for entry in told.items() for text in entry])
    return (_SMALL[len(told)] if len(told) < len(_SMALL) else _long(len(told))) + entries + b"\x00"
