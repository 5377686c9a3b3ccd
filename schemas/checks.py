"""Checking an event's fields: one expression, generated from the types of its class once, at import.

msgspec checks what it builds: an event that there is already would have to be taken apart and built again, in
three times as long. What does not pass here is left to that way, which says what is wrong.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import inspect

Check = Callable[[Any], bool]
"""Whether every field is of its own type and within its bounds; False may also mean: not known here."""

_UNBOUNDED: Final = float("inf")


def check_of(struct: type[msgspec.Struct]) -> Check:
    """The check of a class's instances.

    Raises:
        TypeError: A field has a type that no event needs so far.
    """
    names: dict[str, Any] = {"inf": _UNBOUNDED}
    fields = inspect.type_info(struct).fields  # type: ignore[attr-defined]  # of a struct it has fields
    tests = "\n    and ".join(_test(f"r.{field.name}", field.type, names) for field in fields)
    code = f"def check(r):\n    return ({tests})"
    exec(compile(code, f"<check of {struct.__name__}>", "exec"), names)  # noqa: S102 - generated from our own class
    check: Check = names["check"]
    return check


def _test(of: str, kind: inspect.Type, names: dict[str, Any]) -> str:  # noqa: PLR0911 - one a type
    """An expression: whether what the expression `of` gives is of this kind."""
    match kind:
        case inspect.UnionType(types=(inner, inspect.NoneType())):
            return f"((v := {of}) is None or {_test('v', inner, names)})"
        case inspect.StrType(min_length=low, max_length=high):
            return f"type(v := {of}) is str and {low or 0} <= len(v) <= {_or_inf(high)}"
        case inspect.IntType(ge=low, le=high):
            return f"type(v := {of}) is int and {_or_inf(low, '-')} <= v <= {_or_inf(high)}"
        case inspect.FloatType(ge=low, le=high):
            return f"type(v := {of}) is float and {_or_inf(low, '-')} <= v <= {_or_inf(high)}"
        case inspect.BytesType():
            return f"type({of}) is bytes"
        case inspect.EnumType(cls=cls):
            return f"type({of}) is {_constant(cls, names)}"
        case inspect.DictType(key_type=inspect.StrType(), value_type=inspect.StrType()):
            return f"type(v := {of}) is dict and {_constant(_is_of_texts, names)}(v)"
        case inspect.StructType(cls=cls):
            return f"type(v := {of}) is {_constant(cls, names)} and {_constant(check_of(cls), names)}(v)"
    raise TypeError(f"no check for {kind}")


def _or_inf(bound: float | None, sign: str = "") -> str:
    return f"{sign}inf" if bound is None else repr(bound)


def _constant(value: object, names: dict[str, Any]) -> str:
    name = f"constant_{len(names)}"
    names[name] = value
    return name


def _is_of_texts(told: dict[Any, Any]) -> bool:
    return all(type(name) is str and type(text) is str for name, text in told.items())
