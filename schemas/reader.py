"""Reading a record's Avro body: straight-line code, generated from the schema once, at import.

The sink's speed is that of one Python thread decoding, and a general reader spends most of its time
finding out what comes next. What is generated is what one would write by hand for this very schema: a
line or two a field, and strict. It takes half of fastavro's time, refuses indices that are negative or
too large, lengths beyond the end and numbers beyond 64 bits; a property test holds the two together.

Source: Apache Avro 1.12, "Binary Encoding".
"""

import struct
from collections.abc import Callable
from itertools import groupby
from typing import Any, Final

Read = Callable[[bytes, int], tuple[dict[str, Any], int]]
"""Reads a record from bytes at a position; returns its fields and the position after it."""

_DOUBLE: Final = struct.Struct("<d").unpack_from
_TRUTHS: Final = {0: False, 1: True}
_FLOAT: Final = struct.Struct("<f").unpack_from
_LONG_BITS: Final = 64
_HIGH_BITS: Final = 0x8080808080808080
_EIGHT_BYTES: Final = 0x0080808080808080
"""Those of a number of eight bytes: the last byte, which is the highest here, has it clear."""
_LONG_BYTES: Final = 10
_MOST_LINES: Final = 20_000
_WITH_BYTES: Final = frozenset({"string", "bytes", "long", "int", "double", "float", "boolean"})
_AT_ONCE: Final = 4
_DOUBLES: Final = struct.Struct("<" + "xd" * _AT_ONCE).unpack_from
"""So many, each behind the index of its branch."""
_OPTIONAL_DOUBLE: Final = ["null", "double"]


class Malformed(ValueError):
    """Bytes that are no record of the schema."""


def reader_of(schema: Any) -> Read:
    """The function that reads records of a parsed schema; it raises Malformed, IndexError or UnicodeError.

    Every type of Avro's is read, as another's schema may have it: what is no field of ours must be passed by.

    Raises:
        ValueError: The schema is recursive, too deep or too long, or has an array of what takes no bytes.
    """
    source = Source()
    fields = source.record(schema)
    source.line("if i > len(b): raise Malformed('cut short')")
    source.line(f"return {fields}, i")
    read: Read = source.function("read(b, i)", f"reader of {schema['name']}")
    return read


class Source:
    """Lines of the function under way. In it `b` is the bytes, `i` the position, `n` and `j` are scratch.

    Args:
        text: Expression of a string whose bytes are `b[i:j]`.
    """

    def __init__(self, text: str = "b[i:j].decode()") -> None:
        self.lines: list[str] = []
        self.constants: dict[str, Any] = {"Malformed": Malformed, "varint": _varint, "truths": _TRUTHS}
        self.constants |= {"double": _DOUBLE, "doubles": _DOUBLES, "float_": _FLOAT}
        self._text = text
        self._indent = 1
        self._count = 0
        self._named: dict[str, Any] = {}

    def function(self, signature: str, title: str) -> Any:
        """Make the function of all lines so far."""
        code = f"def {signature}:\n" + "\n".join(self.lines)
        names = dict(self.constants)
        try:
            compiled = compile(code, f"<{title}>", "exec")
        except SyntaxError:  # twenty loops in each other, a hundred levels
            raise ValueError("it is too deep") from None
        exec(compiled, names)  # noqa: S102 - of a schema quoted names and numbers alone are in it
        return names[signature.partition("(")[0]]

    def line(self, text: str) -> None:
        """Add a line where the function has got to.

        Raises:
            ValueError: They are too many: what has a name may be used again, and be doubled each time.
        """
        if len(self.lines) >= _MOST_LINES:
            raise ValueError("it takes too much code to read")
        self.lines.append("    " * self._indent + text)

    def record(self, schema: Any) -> str:
        """Read every field; returns the expression of the whole."""
        pieces = [f"{name!r}: {variable}" for name, variable in self.fields(schema).items()]
        return "{" + ", ".join(pieces) + "}"

    def fields(self, schema: Any) -> dict[str, str]:
        """Read every field; returns the variable that each is in."""
        variables: dict[str, str] = {}
        for inner, run in groupby(schema["fields"], lambda field: field["type"]):
            names = [field["name"] for field in run]
            while inner == _OPTIONAL_DOUBLE and len(names) >= _AT_ONCE:
                variables |= zip(names, self._doubles(), strict=False)
                names = names[_AT_ONCE:]
            variables |= {name: self.value(inner) for name in names}
        return variables

    def _doubles(self) -> list[str]:
        """Read some optional doubles in a row: at once where none is null, as in most nights."""
        variables = [f"d{self._count}_{number}" for number in range(_AT_ONCE)]
        self._count += 1
        self.line(f"if b[i:i + {9 * _AT_ONCE}:9] == {bytes([2]) * _AT_ONCE!r}:")
        self.line(f"    {', '.join(variables)} = doubles(b, i); i += {9 * _AT_ONCE}")
        self.line("else:")
        self._indent += 1
        for variable in variables:
            self._optional(variable, "double")
        self._indent -= 1
        return variables

    def value(self, schema: Any) -> str:
        """Read one value; returns the variable that it is in."""
        self._count += 1
        into = f"v{self._count}"
        match schema:
            case str() if (known := self._named.get(schema)) is not None:
                return self.value(known)
            case str():
                self._plain(into, schema)
            case ["null", inner]:
                self._optional(into, inner)
            case list():
                self._union(into, schema)
            case {"type": "map", "values": inner}:
                self._map(into, inner)
            case {"type": "array", "items": inner}:
                self._array(into, inner)
            case {"type": "record" | "enum" | "fixed"}:
                self._one_named(into, schema)
            case _:
                return self.value(schema["type"])
        return into

    def _plain(self, into: str, name: str) -> None:
        match name:
            case "string":
                self._bytes(into, self._text)
            case "bytes":
                self._bytes(into, "b[i:j]")
            case "long" | "int":
                self._number()
                self.line(f"{into} = (n >> 1) ^ -(n & 1)")
            case "double":
                self.line(f"{into} = double(b, i)[0]; i += 8")
            case "float":
                self.line(f"{into} = float_(b, i)[0]; i += 4")
            case "boolean":
                self.line(f"{into} = truths.get(b[i]); i += 1")
                self.line(f"if {into} is None: raise Malformed('boolean')")
            case "null":
                self.line(f"{into} = None")
            case _:
                raise ValueError("it is recursive")

    def _one_named(self, into: str, schema: Any) -> None:
        self._named[schema["name"]] = None  # not while it is under way: it would have no end
        match schema["type"]:
            case "record":
                self.line(f"{into} = {self.record(schema)}")
            case "enum":
                self._enum(into, schema["symbols"])
            case "fixed":
                size = int(schema["size"])
                self.line(f"{into} = b[i:i + {size}]; i += {size}")
                self.line("if i > len(b): raise Malformed('cut short')")
        self._named[schema["name"]] = schema

    def _number(self) -> None:
        """Read a varint, still in zigzag, into n; almost all are one byte."""
        self.line("n = b[i]; i += 1")
        self.line("if n > 127: n, i = varint(b, i - 1)")

    def _bytes(self, into: str, expression: str) -> None:
        self._number()
        self.line("j = i + (n >> 1)")
        # a length beyond the end is found at the next byte, or at the end
        self.line("if n & 1: raise Malformed('length')")
        self.line(f"{into} = {expression}; i = j")

    def _optional(self, into: str, inner: Any) -> None:
        self.line("n = b[i]; i += 1")
        self.line(f"if n == 0: {into} = None")
        self.line("elif n == 2:")
        self._indent += 1
        self.line(f"{into} = {self.value(inner)}")
        self._indent -= 1
        self.line("else: raise Malformed('union index')")

    def _enum(self, into: str, symbols: list[str]) -> None:
        self.constants[f"symbols_{into}"] = {2 * index: symbol for index, symbol in enumerate(symbols)}
        self._number()
        self.line(f"{into} = symbols_{into}.get(n)")
        self.line(f"if {into} is None: raise Malformed('enum index')")

    def _union(self, into: str, branches: list[Any]) -> None:
        self._number()
        word = "if"
        for index, inner in enumerate(branches):
            self.line(f"{word} n == {2 * index}:")
            self._indent += 1
            self.line(f"{into} = {self.value(inner)}")
            self._indent -= 1
            word = "elif"
        self.line("else: raise Malformed('union index')")

    def _map(self, into: str, inner: Any) -> None:
        self.line(f"{into} = {{}}")
        self._begin_entry(into)
        key = self.value("string")
        self.line(f"if {key} in {into}: raise Malformed('a key comes twice')")
        self.line(f"{into}[{key}] = {self.value(inner)}")
        self._end_entry(into)

    def _array(self, into: str, inner: Any) -> None:
        if not self._takes_bytes(inner):
            raise ValueError("it has an array of what takes no bytes")
        self.line(f"{into} = []")
        self._begin_entry(into)
        self.line(f"{into}.append({self.value(inner)})")
        self._end_entry(into)

    def _takes_bytes(self, schema: Any) -> bool:
        """Whether each value takes one at least: else a few bytes tell of an array of billions."""
        match schema:
            case {"type": "record", "fields": fields}:
                return any(self._takes_bytes(field["type"]) for field in fields)
            case {"type": "fixed", "size": size}:
                return bool(size)
            case list() | {"type": "enum" | "map" | "array"}:
                return True
            case str():
                known = self._named.get(schema)
                return schema in _WITH_BYTES or (known is not None and self._takes_bytes(known))
            case _:
                return self._takes_bytes(schema["type"])

    def _begin_entry(self, into: str) -> None:
        """Blocks of entries until an empty one; a negative count is followed by the block's size."""
        self.line("while True:")
        self._indent += 1
        self._number()
        self.line("if n == 0: break")
        self.line(f"left_{into} = (n >> 1) ^ -(n & 1)")
        self.line(f"if left_{into} < 0:")
        self._indent += 1
        self.line(f"left_{into} = -left_{into}")
        self._number()
        self._indent -= 1
        self.line(f"while left_{into}:")
        self._indent += 1

    def _end_entry(self, into: str) -> None:
        self.line(f"left_{into} -= 1")
        self._indent -= 2


def _varint(b: bytes, i: int) -> tuple[int, int]:
    """A number of several bytes, still in zigzag: seven bits a byte, the least significant first."""
    second = b[i + 1]
    if second < 0x80:  # noqa: PLR2004 - the last byte has its high bit clear; most lengths end here
        return b[i] & 0x7F | second << 7, i + 2
    w = int.from_bytes(b[i : i + 8], "little")
    if w & _HIGH_BITS == _EIGHT_BYTES:  # every time is one: its groups are moved together, all at once
        w &= ~_HIGH_BITS
        w = (w & 0x007F007F007F007F) | (w & 0x7F007F007F007F00) >> 1
        w = (w & 0x00003FFF00003FFF) | (w & 0x3FFF00003FFF0000) >> 2
        return (w & 0x0FFFFFFF) | (w & 0x0FFFFFFF00000000) >> 4, i + 8
    n, shift = b[i] & 0x7F, 7
    for j in range(i + 1, i + _LONG_BYTES):
        byte = b[j]
        if byte < 0x80:  # noqa: PLR2004 - the last byte has its high bit clear
            n |= byte << shift
            if n >> _LONG_BITS:
                break
            return n, j + 1
        n |= (byte & 0x7F) << shift
        shift += 7
    raise Malformed("number")
