"""A body's bytes into one JSON object, without what no table can hold.

Time and memory grow with the body's length alone, whatever its shape: it may be hostile.
"""

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

import msgspec

from producers.delivery import MAX_PROBLEMS, InvalidDelivery, NotJson
from schemas.codec import Problem

MAX_DEPTH: Final = 64
"""Objects and lists within each other; RFC 8259, section 9, lets a reader set a limit."""
_MAX_STEP: Final = 64
"""Characters of one name in a path: a name may be as long as the body, and lead to many problems."""
_A_NAME: Final = "(a name)"
"""Stands for one that is wrong itself."""
_from_json = msgspec.json.Decoder().decode
_after: Final = json.JSONDecoder().raw_decode

_Step = str | int
_Place = tuple["_Place | None", _Step]
"""Where a value stands: the place of what holds it, and its name or index there."""


def read_object(body: bytes) -> dict[str, Any]:
    """Parse a body that has to be one JSON object (RFC 8259).

    Raises:
        NotJson: Not UTF-8, not JSON, or nested too deeply to be read safely.
        InvalidDelivery: JSON, but no object, or with a number or text that no table can hold.
    """
    try:
        told = _from_json(body)
    except msgspec.ValidationError:
        raise InvalidDelivery([Problem("", "a number is out of range")]) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        if has_half_a_pair(body):
            raise InvalidDelivery([Problem("", "a text has half a surrogate pair")]) from None
        raise NotJson from None
    except RecursionError:
        raise NotJson from None
    if not isinstance(told, dict):
        raise InvalidDelivery([Problem("", "must be a JSON object")])
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _is_deeper(told, MAX_DEPTH):
        raise NotJson
    if b"\\" in body and rb"\u0000" in body and (problems := _nul_problems(told)):
        raise InvalidDelivery(problems)
    return told


def _is_deeper(told: dict[str, Any], levels: int) -> bool:
    layer: list[Any] = [told]  # objects and lists alone, of which each is in one layer
    for _ in range(levels):
        layer = [
            inner
            for value in layer
            for inner in (value.values() if isinstance(value, dict) else value)
            if isinstance(inner, dict | list)
        ]
    return bool(layer)


def _nul_problems(told: dict[str, Any]) -> list[Problem]:
    places = _nul_places(told, None)
    shown = islice(places, MAX_PROBLEMS)
    problems = [Problem(_path(place), "contains U+0000, which can't be stored") for place in shown]
    if next(places, None) is not None:
        problems[-1] = Problem("", "more texts than are listed here contain U+0000")
    return problems


def _nul_places(value: dict[str, Any] | list[Any], above: _Place | None) -> Iterator[_Place]:
    """Recursion is safe here: the depth has been checked."""
    for step, inner in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(step, str) and "\x00" in step:
            yield above, _A_NAME
        if isinstance(inner, str):
            if "\x00" in inner:
                yield above, step
        elif isinstance(inner, dict | list):
            yield from _nul_places(inner, (above, step))


def _path(place: _Place | None) -> str:
    """Join the steps; only for what is told, as most places never are."""
    steps: list[str] = []
    while place is not None:
        place, step = place
        steps.append(f"[{step}]" if isinstance(step, int) else f".{_shortened(step)}")
    return "".join(reversed(steps)).removeprefix(".")


def _shortened(name: str) -> str:
    name = name.replace("\x00", "")
    return name if len(name) <= _MAX_STEP else f"{name[:_MAX_STEP]}…"


def has_half_a_pair(body: bytes) -> bool:
    r"""Whether the body is JSON but for half a surrogate pair such as "\\ud800", which UTF-8 can't hold."""
    if rb"\ud" not in body.lower():
        return False
    try:
        json.loads(body.decode())  # the standard library takes such texts, and of bytes also UTF-16
    except (ValueError, RecursionError):
        return False
    return True


def members(container: bytes) -> Iterator[tuple[str, bytes]]:
    """Names and bytes of an array's or an object's members, each of them; names are empty in an array.

    A parser keeps the last of several that have one name (RFC 8259, section 4). The grammar has been checked:
    only where each value ends is of interest.

    Raises:
        ValueError: There is a number of more digits than Python reads.
        RecursionError: It is nested too deeply.
    """
    text = container.decode().strip()
    named, at = text.startswith("{"), 1
    while True:
        at = _next(text, at)
        if text[at] in "]}":
            return
        name = ""
        if named:
            name, at = _after(text, at)
            at = _next(text, at)
        _, end = _after(text, at)
        yield name.encode(errors="replace").decode(), text[at:end].encode()
        at = end


def _next(text: str, at: int) -> int:
    while text[at] in " \t\n\r,:":
        at += 1
    return at
