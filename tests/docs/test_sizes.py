"""How large a file and a function may be, and that what is public says what it promises."""

import ast
from collections.abc import Iterator
from statistics import median

import pytest

from tests.docs.source_tree import AROUND, ROOMS, Source, sources

FILE_LINES, MEDIAN_LINES = 300, 150
FUNCTION_LINES, MOST_FUNCTIONS_LINES, MOST = 60, 30, 0.9
DOCUMENTED = 0.95
Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@pytest.mark.parametrize("room", [*ROOMS, *AROUND])
def test_files_are_small(room: str) -> None:
    of_room = [source for source in sources(room) if source.tree.body]
    assert [f"{source.name}: {source.lines}" for source in of_room if source.lines > FILE_LINES] == []
    assert median(source.lines for source in of_room) <= MEDIAN_LINES


def test_functions_fit_on_a_screen() -> None:
    sizes = {
        f"{source.name}:{function.lineno} {function.name}": _lines(function)
        for source in sources(*ROOMS, *AROUND)
        for function in source.functions()
    }
    assert {name: lines for name, lines in sizes.items() if lines > FUNCTION_LINES} == {}
    small = sum(lines < MOST_FUNCTIONS_LINES for lines in sizes.values())
    assert small / len(sizes) >= MOST


def _lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def test_what_is_public_says_what_it_promises() -> None:
    public = [(name, node) for source in sources() for name, node in _public(source)]
    bare = [name for name, node in public if not ast.get_docstring(node)]
    assert len(bare) <= (1 - DOCUMENTED) * len(public), bare


def _public(source: Source) -> Iterator[tuple[str, Documented]]:
    """The module, its classes and functions, and their methods; nothing that is inside a function."""
    if source.tree.body:
        yield source.name, source.tree
    inside: list[ast.stmt] = list(source.tree.body)
    while inside:
        node = inside.pop()
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name[0] != "_":
            yield f"{source.name}:{node.lineno} {node.name}", node
            inside += node.body if isinstance(node, ast.ClassDef) else []
