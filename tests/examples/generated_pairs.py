"""Pairs of schemas drawn from a seed: half of them strangers, half a schema and a mutation of it."""

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from schemas.validity import InvalidSchema, parse

PRIMITIVES: Final = ("null", "boolean", "int", "long", "float", "double", "string", "bytes")
LOGICAL: Final = (
    {"type": "int", "logicalType": "date"},
    {"type": "long", "logicalType": "timestamp-millis"},
    {"type": "long", "logicalType": "timestamp-micros"},
    {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2},
    {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 3},
    {"type": "string", "logicalType": "uuid"},
)
NAMES: Final = ("Night", "Stage", "Place")
SPACES: Final = ("ours", "ours", "theirs")
FIELDS: Final = ("a", "b", "c", "d")
SYMBOLS: Final = ("DEEP", "LIGHT", "REM", "WAKE")
DEPTH: Final = 2


class Pair(NamedTuple):
    """Two schemas, each valid by itself."""

    reader: str
    writer: str
    mutated: bool


def pairs(seed: int, count: int) -> Iterator[Pair]:
    """So many, the same for the same seed."""
    chance = random.Random(seed)
    for number in range(count):
        if number % 2:
            one = _drawn(chance)
            other = _mutated(chance, one)
        else:
            one, other = _small(chance), _small(chance)
        reader, writer = chance.sample([one, other], 2)
        yield Pair(json.dumps(reader), json.dumps(writer), mutated=bool(number % 2))


def _drawn(chance: random.Random) -> Any:
    while True:
        drawn = _record(chance, 0, set()) if chance.random() < 0.8 else _any(chance, 0, set())
        if _is_valid(drawn):
            return drawn


def _small(chance: random.Random) -> Any:
    """A record of one field and one name, so that strangers fit now and then."""
    while True:
        field = _field(chance, chance.choice(FIELDS[:2]), _any(chance, DEPTH - 1, set()))
        drawn = {"type": "record", "name": "Small", "namespace": "ours", "fields": [field]}
        if _is_valid(drawn):
            return drawn


def _is_valid(schema: Any) -> bool:
    try:
        parse(json.dumps(schema))
    except InvalidSchema:
        return False
    return True


def _any(chance: random.Random, depth: int, used: set[str]) -> Any:
    kinds: list[Callable[[], Any]] = [
        lambda: chance.choice(PRIMITIVES[1:]),
        lambda: chance.choice(PRIMITIVES[1:]),
        lambda: dict(chance.choice(LOGICAL)),
        lambda: _enum(chance, used),
        lambda: _named(chance, used, {"type": "fixed", "size": chance.choice([2, 4])}),
    ]
    if depth < DEPTH:
        kinds += [
            lambda: {"type": "array", "items": _any(chance, depth + 1, used)},
            lambda: {"type": "map", "values": _any(chance, depth + 1, used)},
            lambda: _union(chance, depth + 1, used),
            lambda: _record(chance, depth + 1, used),
        ]
    return chance.choice(kinds)()


def _named(chance: random.Random, used: set[str], schema: dict[str, Any]) -> Any:
    name, space = chance.choice(NAMES), chance.choice(SPACES)
    if f"{space}.{name}" in used:
        return "string"
    used.add(f"{space}.{name}")
    return {"name": name, "namespace": space, **schema}


def _enum(chance: random.Random, used: set[str]) -> Any:
    schema: dict[str, Any] = {"type": "enum", "symbols": list(SYMBOLS[: chance.randrange(1, 5)])}
    if chance.random() < 0.4:
        schema["default"] = schema["symbols"][0]
    return _named(chance, used, schema)


def _union(chance: random.Random, depth: int, used: set[str]) -> Any:
    inner = [branch for _ in range(2) if not isinstance(branch := _any(chance, depth, used), list)]
    return chance.sample(["null", *inner], len(inner) + 1)


def _record(chance: random.Random, depth: int, used: set[str]) -> Any:
    schema = _named(chance, used, {"type": "record", "fields": []})
    if isinstance(schema, str):
        return schema
    for name in chance.sample(FIELDS, chance.randrange(1, 4)):
        schema["fields"].append(_field(chance, name, _any(chance, depth + 1, used)))
    return schema


def _field(chance: random.Random, name: str, kind: Any) -> dict[str, Any]:
    field = {"name": name, "type": kind}
    return field | {"default": _default(kind)} if chance.random() < 0.5 else field


def _default(kind: Any) -> Any:
    """A default that fits, where it is simple to find."""
    if isinstance(kind, list):
        return _default(kind[0])
    plain = kind if isinstance(kind, str) else kind["type"]
    if plain == "enum":
        return kind["symbols"][-1]
    if plain == "record":
        return {field["name"]: _default(field["type"]) for field in kind["fields"]}
    if plain == "fixed":
        return "x" * kind["size"]
    simple: dict[str, Any] = {
        "null": None,
        "boolean": True,
        "array": [],
        "map": {},
        "string": "x",
        "bytes": "x",
    }
    return simple.get(plain, 1)


def _mutated(chance: random.Random, schema: Any) -> Any:
    while True:
        holder = {"type": copy.deepcopy(schema)}
        for _ in range(chance.randrange(1, 4)):
            _mutate(chance, holder)
        if holder["type"] != schema and _is_valid(holder["type"]):
            return holder["type"]


def _mutate(chance: random.Random, holder: dict[str, Any]) -> None:
    """Change something somewhere inside."""
    where, place = chance.choice(list(_places(holder, "type")))
    node = where[place]
    kind = "union" if isinstance(node, list) else node if isinstance(node, str) else node["type"]
    mutations = [_replace, _wrap, *_OF_KIND.get(kind, ())]
    if isinstance(node, dict) and "name" in node:
        mutations += [_rename, _move]
    if isinstance(node, dict) and "logicalType" in node:
        mutations += [_change_meaning] * 3
    chance.choice(mutations)(chance, where, place)


def _places(where: Any, place: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of a type, as what holds it and by which key."""
    yield where, place
    node = where[place]
    if isinstance(node, list):
        for number in range(len(node)):
            yield from _places(node, number)
    elif isinstance(node, dict):
        for name in ("items", "values"):
            if name in node:
                yield from _places(node, name)
        for field in node.get("fields", ()):
            yield from _places(field, "type")


def _replace(chance: random.Random, where: Any, place: Any) -> None:
    where[place] = chance.choice([*PRIMITIVES[1:], dict(chance.choice(LOGICAL))])


def _change_meaning(chance: random.Random, where: Any, place: Any) -> None:
    same = [dict(one) for one in LOGICAL if one["type"] == where[place]["type"]]
    where[place] = chance.choice([*same, where[place]["type"]])


def _wrap(chance: random.Random, where: Any, place: Any) -> None:
    if not isinstance(where[place], list) and not isinstance(where, list):
        where[place] = chance.sample(["null", where[place]], 2)


def _change_branches(chance: random.Random, where: Any, place: Any) -> None:
    branches = where[place]
    if not branches or chance.random() < 0.5:
        branches.insert(chance.randrange(len(branches) + 1), chance.choice(PRIMITIVES))
    else:
        where[place] = branches.pop(chance.randrange(len(branches)))


def _change_fields(chance: random.Random, where: Any, place: Any) -> None:
    fields = where[place]["fields"]
    change = chance.randrange(4)
    if change == 0:
        fields.append(_field(chance, chance.choice(FIELDS), chance.choice(PRIMITIVES)))
    elif change == 1 and fields:
        fields.pop(chance.randrange(len(fields)))
    elif change == 2:
        chance.shuffle(fields)
    elif fields:
        field = chance.choice(fields)
        was, field["name"] = field["name"], f"{field['name']}_new"
        if chance.random() < 0.5:
            field["aliases"] = [was]


def _change_symbols(chance: random.Random, where: Any, place: Any) -> None:
    node = where[place]
    if chance.random() < 0.5:
        node["symbols"] = list(SYMBOLS[: chance.randrange(1, 5)])
    elif "default" in node:
        del node["default"]
    else:
        node["default"] = node["symbols"][0]


def _change_size(chance: random.Random, where: Any, place: Any) -> None:
    where[place]["size"] = chance.choice([1, 8])


def _rename(chance: random.Random, where: Any, place: Any) -> None:
    node = where[place]
    was, node["name"] = node["name"], f"{node['name']}New"
    if chance.random() < 0.5:
        node["aliases"] = [was]


def _move(_: random.Random, where: Any, place: Any) -> None:
    where[place]["namespace"] = "moved"


_OF_KIND: Final[dict[str, tuple[Callable[[random.Random, Any, Any], None], ...]]] = {
    "union": (_change_branches, _change_branches),
    "record": (_change_fields,) * 4,
    "enum": (_change_symbols,) * 2,
    "fixed": (_change_size,),
}
