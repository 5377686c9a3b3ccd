"""What is no Avro schema, by the specification: where its flaw is, and the rule that it breaks."""

from typing import Any, Final, NamedTuple

from tests.contract.schema_pairs import array, decimal, enum, field, fixed, logical, mapping, record


class Invalid(NamedTuple):
    """A text or schema that is none, where its flaw is, and a word of what is said."""

    name: str
    schema: Any
    path: str
    reason: str


INVALID: Final = [
    Invalid("an unknown type", "integer", "/", "Schema Declaration: no such primitive and no such name"),
    Invalid("a record without fields", {"type": "record", "name": "R"}, "/", "Records: fields are required"),
    Invalid("a record without a name", {"type": "record", "fields": []}, "/", "Records: a name is required"),
    Invalid("a field twice", record(field("int"), field("int")), "/", "Records: fields have unique names"),
    Invalid("a field with a dash", record(field("int", "a-b")), "/a-b", "Names: [A-Za-z_][A-Za-z0-9_]*"),
    Invalid("a field with a digit first", record(field("int", "1a")), "/1a", "Names, likewise"),
    Invalid("a record with a bad name", record(name="a-b"), "/", "Names, likewise"),
    Invalid("an enum's symbol twice", enum("A", "A"), "/", "Enums: all symbols are unique"),
    Invalid("an enum's bad symbol", enum("a b"), "/", "Enums: symbols are names"),
    Invalid("an enum's strange default", enum("A", default="B"), "/", "Enums: the default is a symbol"),
    Invalid("a fixed without a size", {"type": "fixed", "name": "F"}, "/", "Fixed: a size is required"),
    Invalid("a union in a union", ["null", ["int"]], "/", "Unions: they may not immediately contain others"),
    Invalid("a union with a type twice", ["int", "int"], "/", "Unions: no more than one of a type"),
    Invalid("an empty union", record(field([])), "/f", "Unions: a JSON array of branches"),
    Invalid("a name defined twice", [record(), record()], "/", "Names: no definition may be repeated"),
    Invalid("a text for a number", record(field("int", default="0")), "/f", "Records: defaults by type"),
    Invalid("a fraction for a number", record(field("long", default=1.5)), "/f", "likewise"),
    Invalid("a truth for a number", record(field("int", default=True)), "/f", "likewise"),
    Invalid("a truth for a fraction", record(field("double", default=False)), "/f", "likewise"),
    Invalid("a number too large", record(field("int", default=2**31)), "/f", "Primitives: 32 bits, signed"),
    Invalid("a null for a text", record(field("string", default=None)), "/f", "likewise"),
    Invalid("a symbol that is none", record(field(enum("A"), default="B")), "/f", "likewise"),
    Invalid("bytes beyond 255", record(field("bytes", default="€")), "/f", "Records: code points 0-255"),
    Invalid("too few bytes", record(field(fixed(2), default="a")), "/f", "Fixed: as many as its size"),
    Invalid("a default of the second branch", record(field(["null", "int"], default=0)), "/f",
            "stricter: before 1.12 a union's default is of its first branch"),
    Invalid("items that don't fit", record(field(array("int"), default=["a"])), "/f", "Records: by type"),
    Invalid("values that don't fit", record(field(mapping("int"), default={"a": "b"})), "/f", "likewise"),
    Invalid("a default that lacks a field", record(field(record(field("int"), name="I"), default={})),
            "/f", "likewise: every field without a default has to be there"),
    Invalid("a time on an int", record(field(logical("timestamp-micros", "int"))), "/f",
            "Logical Types: it annotates a long, else it is ignored"),
    Invalid("a decimal without precision", record(field(logical("decimal", "bytes"))), "/f",
            "Logical Types, decimal: a precision is required"),
    Invalid("a scale above the precision", record(field(decimal(2, 3))), "/f", "likewise: at most as many"),
    Invalid("a decimal that its fixed can't hold", fixed(2, logicalType="decimal", precision=9), "/",
            "likewise: floor(log10(2^(8n-1) - 1)) digits at most"),
    Invalid("a duration of another size", fixed(16, logicalType="duration"), "/", "Logical Types: 12 bytes"),
]  # fmt: skip
