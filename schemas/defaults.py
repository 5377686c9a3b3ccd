"""Whether a field's default is of the field's type, which the `avro` package does not ask.

Source: Apache Avro 1.12, "Complex Types", the table of field default values in JSON.
"""

from collections.abc import Callable
from typing import Any, Final

_LATIN_1: Final = 256


def default_problem(schema: Any, default: Any) -> str | None:
    """What is wrong with a default in its JSON form; None if nothing is.

    Args:
        schema: The field's, as the `avro` package parsed it.
        default: What the JSON says.
    """
    if schema.type == "union":
        # since 1.12 any branch may match; readers before that take the first
        problem = default_problem(schema.schemas[0], default) if schema.schemas else None
        return f"{problem}, the union's first branch" if problem else None
    inside = _INSIDE.get(schema.type)
    if inside is not None:
        kind, problems = inside
        return problems(schema, default) if isinstance(default, kind) else f"is no {schema.type}"
    return None if _PLAIN[schema.type](default) else f"is no {schema.type}"


def _is_whole(bits: int) -> Callable[[Any], bool]:
    return lambda told: type(told) is int and -(2 ** (bits - 1)) <= told < 2 ** (bits - 1)


def _is_number(told: Any) -> bool:
    return type(told) in (int, float)


def _is_bytes(told: Any) -> bool:
    return isinstance(told, str) and all(ord(letter) < _LATIN_1 for letter in told)


_PLAIN: Final[dict[str, Callable[[Any], bool]]] = {
    "null": lambda told: told is None,
    "boolean": lambda told: isinstance(told, bool),
    "int": _is_whole(32),
    "long": _is_whole(64),
    "float": _is_number,
    "double": _is_number,
    "string": lambda told: isinstance(told, str),
    "bytes": _is_bytes,
}


def _in_fixed(schema: Any, told: str) -> str | None:
    return None if _is_bytes(told) and len(told) == schema.size else f"is not {schema.size} bytes long"


def _in_enum(schema: Any, told: str) -> str | None:
    return None if told in schema.symbols else "is none of the symbols"


def _in_array(schema: Any, told: list[Any]) -> str | None:
    return next(filter(None, (default_problem(schema.items, one) for one in told)), None)


def _in_map(schema: Any, told: dict[str, Any]) -> str | None:
    return next(filter(None, (default_problem(schema.values, one) for one in told.values())), None)


def _in_record(schema: Any, told: dict[str, Any]) -> str | None:
    for field in schema.fields:
        if field.name in told:
            if problem := default_problem(field.type, told[field.name]):
                return problem
        elif not field.has_default:
            return f"lacks {field.name}"
    return None


_INSIDE: Final[dict[str, tuple[type, Callable[[Any, Any], str | None]]]] = {
    "fixed": (str, _in_fixed),
    "enum": (str, _in_enum),
    "array": (list, _in_array),
    "map": (dict, _in_map),
    "record": (dict, _in_record),
}
