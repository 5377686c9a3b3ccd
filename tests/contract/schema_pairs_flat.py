"""Primitives, fields and names, judged by hand from the specification: is what was written read?

Each reason is a rule of Apache Avro 1.12, of "Schema Resolution" unless it names another part; where this
project is stricter than the specification, the reason says so.
"""

from typing import Final

from tests.contract.schema_pairs import Case, enum, field, fixed, mapping, record

PRIMITIVES: Final = [
    Case("int reads int", "int", "int", True, "both schemas are primitives of the same type"),
    Case("long reads int", "long", "int", True, "int is promotable to long, float, or double"),
    Case("float reads int", "float", "int", True, "int is promotable to long, float, or double"),
    Case("double reads int", "double", "int", True, "int is promotable to long, float, or double"),
    Case("float reads long", "float", "long", True, "long is promotable to float or double"),
    Case("double reads long", "double", "long", True, "long is promotable to float or double"),
    Case("double reads float", "double", "float", True, "float is promotable to double"),
    Case("bytes read string", "bytes", "string", True, "string is promotable to bytes"),
    Case("string reads bytes", "string", "bytes", True, "bytes is promotable to string"),
    Case("int refuses long", "int", "long", False, "no promotion narrows"),
    Case("long refuses float", "long", "float", False, "no promotion from a fraction to a whole number"),
    Case("long refuses double", "long", "double", False, "no promotion from a fraction to a whole number"),
    Case("float refuses double", "float", "double", False, "no promotion narrows"),
    Case("int refuses boolean", "int", "boolean", False, "boolean is promotable to nothing"),
    Case("boolean refuses int", "boolean", "int", False, "boolean is the target of no promotion"),
    Case("string refuses int", "string", "int", False, "int is promotable to numbers alone"),
    Case("null refuses int", "null", "int", False, "null is the target of no promotion"),
    Case("int refuses null", "int", "null", False, "null is promotable to nothing"),
]

FIELDS: Final = [
    Case(
        "a field added with a default", record(field("int", default=0)), record(), True, "its default is used"
    ),
    Case("a field added without", record(field("int")), record(), False, "no default: an error is signalled"),
    Case("a field removed", record(), record(field("int")), True, "the writer's value is ignored"),
    Case(
        "a null added by default",
        record(field(["null", "int"], default=None)),
        record(),
        True,
        "a field's default is used where the writer has no such field",
    ),
    Case(
        "an optional field without a default",
        record(field(["null", "int"])),
        record(),
        False,
        "a union with null is no default: it has to be declared",
    ),
    Case(
        "an enum's default is not the field's",
        record(field(enum("A", "B", default="A"))),
        record(),
        False,
        "an enum's default stands for unknown symbols, not for absent fields",
    ),
    Case(
        "fields in another order",
        record(field("int", "a"), field("int", "b")),
        record(field("int", "b"), field("int", "a")),
        True,
        "the ordering of fields may be different: fields are matched by name",
    ),
    Case(
        "a field renamed",
        record(field("int", "b")),
        record(field("int", "a")),
        False,
        "fields are matched by name",
    ),
    Case(
        "a field renamed, with a default",
        record(field("int", "b", default=0)),
        record(field("int", "a")),
        True,
        "by name it is one field removed and one added: the value is lost, and nothing is signalled",
    ),
    Case(
        "a field renamed, with an alias",
        record(field("int", "b", aliases=["a"])),
        record(field("int", "a")),
        True,
        "Aliases: the writer's schema is rewritten with the reader's aliases",
    ),
    Case(
        "the writer's own alias helps nobody",
        record(field("int", "b")),
        record(field("int", "a", aliases=["b"])),
        False,
        "Aliases: only the reader's count",
    ),
    Case("a field widened", record(field("long")), record(field("int")), True, "fields resolve recursively"),
    Case(
        "a field narrowed", record(field("int")), record(field("long")), False, "fields resolve recursively"
    ),
    Case("a doc changed", record(field("int", doc="x")), record(field("int")), True, "a doc says nothing"),
    Case(
        "a default changed",
        record(field("int", default=1)),
        record(field("int", default=0)),
        True,
        "a default is only used where the writer has no such field",
    ),
    Case(
        "a default dropped",
        record(field("int")),
        record(field("int", default=0)),
        True,
        "the writer always writes the field",
    ),
    Case(
        "an order changed", record(field("int", order="ignore")), record(field("int")), True, "it sorts only"
    ),
]

NAMES: Final = [
    Case("another record", record(name="S"), record(name="R"), False, "both are records of the same name"),
    Case(
        "another record with an alias",
        record(name="S", aliases=["R"]),
        record(name="R"),
        True,
        "Aliases: a reader may name what it was called",
    ),
    Case(
        "an alias within a namespace",
        record(name="S", namespace="n", aliases=["R"]),
        record(name="R", namespace="n"),
        True,
        "Aliases: an alias without a dot is in the namespace of its schema",
    ),
    Case(
        "a full alias of another namespace",
        record(name="R", namespace="n", aliases=["m.R"]),
        record(name="R", namespace="m"),
        True,
        "Aliases: an alias with a dot is a full name",
    ),
    Case(
        "another namespace",
        record(namespace="n"),
        record(namespace="m"),
        False,
        "stricter: 1.12 compares unqualified names, older readers and ours full ones",
    ),
    Case(
        "the same full name, written otherwise",
        record(name="n.R"),
        record(name="R", namespace="n"),
        True,
        "Names: a name with a dot is a full name",
    ),
    Case(
        "an inner record's namespace",
        record(field(record(name="I", namespace="x")), namespace="n"),
        record(field(record(name="I")), namespace="n"),
        False,
        "stricter, as above: the inner one's full name is n.I for the writer and x.I for the reader",
    ),
    Case("another enum", enum("A", name="X"), enum("A"), False, "both are enums of the same name"),
    Case("another fixed", fixed(4, name="X"), fixed(4), False, "both are fixed of the same name and size"),
    Case("a record is no map", record(), mapping("int"), False, "neither is the other's kind"),
]
