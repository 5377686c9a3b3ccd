"""The house: which room may know which, and what its doors are called."""

import ast
import tomllib
from pathlib import Path

from tests.docs.source_tree import AROUND, ROOMS, ROOT, sources

FLOOR = {"config": 0, "schemas": 1, "producers": 2, "consumers": 2, "console": 2, "session_relay": 3}
HIDES_AN_IDEA = {
    "utils": "the thing that it works on (facts.py, addresses.py)",
    "helpers": "what it helps with (compare.py, origins.py)",
    "common": "the idea that the others share (batch.py, outcome.py)",
    "base": "the promise, as a Protocol beside its users",
    "manager": "what it does (pipeline.py, writer.py)",
    "misc": "one file for each thing in it",
}


def test_every_room_is_there_and_says_what_it_is_for() -> None:
    for room in ROOMS:
        first = sources(room)[0]
        assert first.name == f"{room}/__init__.py"
        assert ast.get_docstring(first.tree)


def test_imports_point_downwards_only() -> None:
    """session_relay → producers, consumers, console → schemas → config; the middle never each other."""
    wrong = []
    for source in sources():
        for line, name in source.imports():
            other = name.partition(".")[0]
            if other in AROUND or (
                other in FLOOR and other != source.room and not _below(other, source.room)
            ):
                wrong.append(f"{source.name}:{line} imports {name}")
    assert wrong == []


def _below(other: str, room: str) -> bool:
    return FLOOR[other] < FLOOR[room]


def test_nothing_is_imported_from_where_it_happens_to_stand() -> None:
    """Relative imports and stars hide which room is meant."""
    wrong = [
        f"{source.name}:{line} imports {name}"
        for source in sources(*ROOMS, *AROUND)
        for line, name in source.imports()
        if name.startswith(".") or name.endswith(".*")
    ]
    assert wrong == []


def test_no_module_is_named_for_nothing() -> None:
    wrong = {}
    for source in sources(*ROOMS, *AROUND):
        for part in source.path.relative_to(ROOT).with_suffix("").parts:
            if part in HIDES_AN_IDEA:
                wrong[source.name] = f"name it after {HIDES_AN_IDEA[part]}"
    assert wrong == {}


def test_an_installed_copy_has_every_package_and_every_file() -> None:
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    packages = {source.path.parent for source in sources()}
    assert sorted(setuptools["packages"]) == sorted(
        ".".join(package.relative_to(ROOT).parts) for package in packages
    )
    for room in ROOMS:
        listed = {
            path
            for pattern in setuptools["package-data"].get(room, ())
            for path in (ROOT / room).glob(pattern)
        }
        data = {path for path in (ROOT / room).rglob("*.*") if path.is_file() and not _made_of_code(path)}
        assert {path.relative_to(ROOT).as_posix() for path in data - listed} == set()


def _made_of_code(path: Path) -> bool:
    return path.suffix == ".py" or "__pycache__" in path.parts
