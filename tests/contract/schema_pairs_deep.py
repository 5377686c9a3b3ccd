"""Enums, collections, unions and logical types, judged by hand from the specification, as the flat ones."""

from typing import Final

from tests.contract.schema_pairs import Case, array, decimal, enum, field, fixed, logical, mapping, record

_NODE: Final = record(field(["null", "Node"], "next", default=None), name="Node")
_NODE_MORE: Final = record(
    field(["null", "Node"], "next", default=None), field("int", "n", default=0), name="Node"
)
_NODE_STRICT: Final = record(field(["null", "Node"], "next", default=None), field("int", "n"), name="Node")

COMPLEX: Final = [
    Case("a symbol added", enum("A", "B"), enum("A"), True, "the writer's symbol is in the reader's enum"),
    Case("a symbol removed", enum("A"), enum("A", "B"), False, "the reader's enum lacks it: an error"),
    Case(
        "a symbol removed, with a default",
        enum("A", default="A"),
        enum("A", "B"),
        True,
        "the reader's default stands for a symbol that it lacks",
    ),
    Case(
        "the writer's default helps nobody",
        enum("A"),
        enum("A", "B", default="A"),
        False,
        "only the reader's default counts",
    ),
    Case("symbols in another order", enum("B", "A"), enum("A", "B"), True, "symbols are resolved by name"),
    Case("a fixed of another size", fixed(8), fixed(4), False, "both are fixed of the same name and size"),
    Case("fixed is not bytes", "bytes", fixed(4), False, "fixed is promotable to nothing"),
    Case("bytes are not fixed", fixed(4), "bytes", False, "bytes is promotable to string alone"),
    Case("items widened", array("long"), array("int"), True, "an array's items resolve recursively"),
    Case("items narrowed", array("int"), array("long"), False, "an array's items resolve recursively"),
    Case("values widened", mapping("double"), mapping("float"), True, "a map's values resolve recursively"),
    Case("values changed", mapping("int"), mapping("string"), False, "a map's values resolve recursively"),
    Case("an array is no map", array("int"), mapping("int"), False, "neither is the other's kind"),
    Case("an array is not its item", array("int"), "int", False, "nothing is promotable to an array"),
    Case("a record that contains itself", _NODE, _NODE, True, "it resolves with itself"),
    Case("such a record with a default more", _NODE_MORE, _NODE, True, "its default is used at each level"),
    Case("such a record with a field more", _NODE_STRICT, _NODE, False, "no default, at any level"),
]

UNIONS: Final = [
    Case("made optional", ["null", "int"], "int", True, "the first branch that matches is taken"),
    Case("no longer optional", "int", ["null", "int"], False, "the writer may have written a null"),
    Case("a union of one", "int", ["int"], True, "the only branch that can have been written matches"),
    Case("a branch added", ["null", "int", "string"], ["null", "int"], True, "each written branch matches"),
    Case("a branch removed", ["null", "int"], ["null", "int", "string"], False, "a string matches no branch"),
    Case("branches in another order", ["int", "null"], ["null", "int"], True, "branches match by their type"),
    Case("a branch widened", ["null", "long"], ["null", "int"], True, "int is promotable to long"),
    Case("a branch narrowed", ["null", "int"], ["null", "long"], False, "no promotion narrows"),
    Case("widened and made optional", ["null", "double"], "long", True, "the first branch that matches"),
    Case("one type reads a union that fits", "long", ["int", "long"], True, "each branch matches the reader"),
    Case("a union reads nothing of it", ["null", "boolean"], "int", False, "no branch matches: an error"),
    Case(
        "a record in a union changes",
        ["null", record(field("int"))],
        ["null", record()],
        False,
        "the branch of that name lacks a default",
    ),
    Case(
        "a record in a union grows",
        ["null", record(field("int", default=0))],
        ["null", record()],
        True,
        "the branch of that name has a default",
    ),
]

MEANINGS: Final = [
    Case(
        "milliseconds for microseconds",
        logical("timestamp-millis"),
        logical("timestamp-micros"),
        False,
        "stricter: both are longs, a count of other units; Logical Types, timestamps",
    ),
    Case(
        "microseconds for milliseconds",
        logical("timestamp-micros"),
        logical("timestamp-millis"),
        False,
        "stricter, as above",
    ),
    Case("the same unit", logical("timestamp-micros"), logical("timestamp-micros"), True, "nothing differs"),
    Case(
        "a number becomes a time",
        logical("timestamp-micros"),
        "long",
        False,
        "stricter: a plain long counts anything; Logical Types",
    ),
    Case(
        "a time becomes a number",
        "long",
        logical("timestamp-micros"),
        False,
        "stricter: its unit is lost; Logical Types",
    ),
    Case(
        "a local time becomes an instant",
        logical("timestamp-micros"),
        logical("local-timestamp-micros"),
        False,
        "stricter: one is of no zone, the other an instant; Logical Types, local timestamps",
    ),
    Case(
        "a time inside a union",
        ["null", logical("timestamp-millis")],
        ["null", logical("timestamp-micros")],
        False,
        "stricter, as above; a branch is looked into",
    ),
    Case(
        "a time inside an array inside a field",
        record(field(array(logical("timestamp-millis")))),
        record(field(array(logical("timestamp-micros")))),
        False,
        "stricter, as above; items are looked into",
    ),
    Case(
        "a time under an alias",
        record(field(logical("timestamp-millis"), "b", aliases=["a"])),
        record(field(logical("timestamp-micros"), "a")),
        False,
        "stricter, as above; the alias says that they are one field",
    ),
    Case(
        "a time in a field that is gone",
        record(),
        record(field(logical("timestamp-micros"))),
        True,
        "the writer's value is ignored, and so is its unit",
    ),
    Case("the same decimal", decimal(9, 2), decimal(9, 2), True, "scales and precisions match"),
    Case(
        "a decimal of another scale",
        decimal(9, 3),
        decimal(9, 2),
        False,
        "Logical Types, decimal: two of them match if their scales and precisions match",
    ),
    Case("a decimal of another precision", decimal(10, 2), decimal(9, 2), False, "likewise"),
    Case(
        "a decimal without a scale has none",
        decimal(9, 0),
        logical("decimal", "bytes", precision=9),
        True,
        "Logical Types, decimal: a scale that is left out is zero",
    ),
    Case("bytes become a decimal", decimal(9, 2), "bytes", False, "stricter: plain bytes are no number"),
    Case(
        "a text becomes a UUID", logical("uuid", "string"), "string", False, "stricter: any text is no UUID"
    ),
    Case(
        "a day for a time of day",
        logical("date", "int"),
        logical("time-millis", "int"),
        False,
        "stricter: days against milliseconds; Logical Types, date, time",
    ),
    Case(
        "somebody's own logical type",
        logical("mood", "string"),
        logical("mood", "string"),
        True,
        "Logical Types: an unknown one is ignored",
    ),
    Case(
        "somebody's own logical type changes",
        logical("mood", "string"),
        logical("tone", "string"),
        False,
        "stricter: what differs in name differs in meaning",
    ),
]
