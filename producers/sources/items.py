"""Taking a delivery of several items apart, each with its own bytes, so that a bad one spoils no other."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Final, Literal

import msgspec
from msgspec import Raw

from producers.delivery import InvalidDelivery, NotJson, TooLarge
from producers.sources.json_object import has_half_a_pair, members
from producers.sources.vendor import Item
from schemas.codec import Problem

_object: Final = msgspec.json.Decoder(dict[str, Raw]).decode
_list: Final = msgspec.json.Decoder(list[Raw]).decode
_OPENING: Final = {"array": b"[", "object": b"{"}


def listed(body: bytes, most: int) -> list[bytes]:
    """The elements of a body that has to be one JSON array.

    Raises:
        TooLarge: There are more than `most`.
        NotJson: The body is no JSON in UTF-8.
        InvalidDelivery: It is no array.
    """
    return [value for _, value in _members(body, "array", most)]


def named_lists(body: bytes, most: int) -> list[Item]:
    """The items of a body that has to be one JSON object of arrays; what is no array is an item by itself.

    Raises:
        TooLarge: There are more than `most`.
        NotJson: The body is no JSON in UTF-8.
        InvalidDelivery: It is no object, or has no item.
    """
    items: list[Item] = []
    for name, value in _members(body, "object", most):
        items += _of_list(name, value, most)
        if len(items) > most:
            raise TooLarge
    if not items:
        raise InvalidDelivery([Problem("", "has no item")])
    return items


def _of_list(name: str, value: bytes, most: int) -> list[Item]:
    if not value.startswith(b"["):
        return [Item(name, name, value)]
    return [Item(f"{name}[{index}]", name, element) for index, element in enumerate(listed(value, most))]


def _members(body: bytes, kind: Literal["array", "object"], most: int) -> list[tuple[str, bytes]]:
    """Names and bytes of what a container holds; names are empty in an array."""
    try:
        body.decode()  # Raw looks at the grammar alone
        if kind == "array":
            return _at_most((("", bytes(element)) for element in _list(body)), most)
        return _at_most(_named(body, _object(body)), most)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    if has_half_a_pair(body):  # which is one item's fault alone
        if body.strip().startswith(_OPENING[kind]):
            return _at_most(members(body), most)
    elif not _is_json(body):
        raise NotJson
    raise InvalidDelivery([Problem("", f"must be a JSON {kind}")])


def _named(body: bytes, found: Mapping[str, Raw]) -> list[tuple[str, bytes]]:
    """Each member, of two lists with one name both; a parser keeps the last."""
    try:
        return list(members(body))
    except (ValueError, RecursionError):  # for a number that is one item's fault alone
        return [(name, bytes(value)) for name, value in found.items()]


def _at_most(found: Iterable[tuple[str, bytes]], most: int) -> list[tuple[str, bytes]]:
    told = list(islice(found, most + 1))
    if len(told) > most:
        raise TooLarge
    return told


def _is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body)
    except msgspec.ValidationError:
        return True  # but for a number out of range
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True
