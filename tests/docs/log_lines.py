"""Every log line of ours by the name of its event, read from the code; and the table of them in docs/logs.md.

`python -m tests.docs.tables` renews the table and keeps what it says of each event.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

from tests.docs.source_tree import ROOT, sources

PAGE = ROOT / "docs" / "logs.md"
LEVELS = ("debug", "info", "warning", "error", "exception", "critical")
ANY_FIELDS = "…"
"""In place of fields whose names are not written where the line is logged."""
_ROW = re.compile(r"^\| `(\w+)` \| ([^|]*) \| ([^|]*) \| ([^|]*) \|$", re.MULTILINE)

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Line:
    """One event: at which levels, and with which fields, from all places that log it."""

    levels: set[str] = field(default_factory=set)
    fields: set[str] = field(default_factory=set)

    def cells(self) -> tuple[str, str]:
        """As the table has it."""
        ordered = sorted(self.levels, key=LEVELS.index)
        return ", ".join(ordered), ", ".join(f"`{name}`" for name in sorted(self.fields))


@cache
def lines() -> dict[str, Line]:
    """Every event by its name."""
    found: dict[str, Line] = {}
    for source in sources():
        if any(name == "structlog" for _, name in source.imports()):
            for function in source.functions():
                _collect(function, found)
    return dict(sorted(found.items()))


def _collect(function: Function, found: dict[str, Line]) -> None:
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    for call in calls:
        for levels, name, keywords in _logged(call, function):
            for event in _names(name):
                line = found.setdefault(event, Line())
                line.levels |= {"error" if level == "exception" else level for level in levels}
                line.fields |= {field for keyword in keywords for field in _fields(keyword, function)}
                line.fields |= {"exception"} if "exception" in levels else set()


def _logged(call: ast.Call, function: Function) -> Iterator[tuple[set[str], ast.expr, list[ast.keyword]]]:
    """Levels, name and fields of what a call logs, or hands to somebody who will log it."""
    if (levels := _levels(call.func, function)) and call.args:
        yield levels, call.args[0], call.keywords
    for given, following in zip(call.args, call.args[1:], strict=False):
        if levels := _levels(given, function):
            yield levels, following, []


def _levels(of: ast.expr, function: Function) -> set[str]:
    """Those of `log.info`, or of a name such as `say` that stands for one of several."""
    if isinstance(of, ast.Attribute) and ast.unparse(of.value) == "log" and of.attr in LEVELS:
        return {of.attr}
    if isinstance(of, ast.Name):
        choices = [node for value in _assigned(of.id, function) for node in ast.walk(value)]
        return {
            level for node in choices if isinstance(node, ast.Attribute) for level in _levels(node, function)
        }
    return set()


def _names(of: ast.expr) -> Iterator[str]:
    if isinstance(of, ast.IfExp):
        yield from (*_names(of.body), *_names(of.orelse))
    elif isinstance(of, ast.Constant) and isinstance(of.value, str):
        yield of.value
    else:
        raise TypeError(f"the name of a log event is written where it is logged: {ast.unparse(of)}")


def _fields(keyword: ast.keyword, function: Function) -> Iterator[str]:
    if keyword.arg is not None:
        yield "exception" if keyword.arg == "exc_info" else keyword.arg
    elif isinstance(keyword.value, ast.Name):
        for value in _assigned(keyword.value.id, function):
            assert isinstance(value, ast.Dict), ast.unparse(value)
            yield from (str(key.value) for key in value.keys if isinstance(key, ast.Constant))
    else:
        yield ANY_FIELDS


def _assigned(name: str, function: Function) -> list[ast.expr]:
    return [
        node.value
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == [name]
    ]


def told() -> dict[str, str]:
    """What the page says of each event."""
    return {name: meaning for name, _, _, meaning in _ROW.findall(PAGE.read_text("utf-8"))}


def table() -> str:
    """As it should be; an event that nobody has explained has an empty last cell."""
    meanings = told()
    rows = [
        f"| `{name}` | {' | '.join(line.cells())} | {meanings.get(name, '')} |"
        for name, line in lines().items()
    ]
    return "\n".join(["| event | level | fields | what it tells |", "|---|---|---|---|", *rows])
