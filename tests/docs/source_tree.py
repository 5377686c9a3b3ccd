"""The repository as data: its rooms, its Python files parsed, its texts."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("config", "schemas", "producers", "consumers", "session_relay")
AROUND = ("tests", "benchmarks")
PAPERS = ("README.md", "CONTRIBUTING.md", "docs/**/*.md", "benchmarks/*.md")


@dataclass(frozen=True)
class Source:
    """One Python file."""

    path: Path
    lines: int
    tree: ast.Module

    @property
    def name(self) -> str:
        """Its path in the repository."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def room(self) -> str:
        return self.path.relative_to(ROOT).parts[0]

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node

    def imports(self) -> Iterator[tuple[int, str]]:
        """Line and full name of whatever is imported, also inside functions."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                module = "." * node.level + (node.module or "")
                yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def sources(*rooms: str) -> tuple[Source, ...]:
    """Every Python file of these rooms; of all rooms where none is named."""
    return tuple(source for room in rooms or ROOMS for source in _of_room(room))


@cache
def _of_room(room: str) -> tuple[Source, ...]:
    found = []
    for path in sorted((ROOT / room).rglob("*.py")):
        text = path.read_text("utf-8")
        found.append(Source(path, text.count("\n"), ast.parse(text, path.name)))
    return tuple(found)


BUILT = {"__pycache__", "target"}
"""Directories that Python and Maven make."""


def texts() -> Iterator[tuple[str, str]]:
    """Path and content of every text that is ours: code, SQL, settings, papers."""
    patterns = [f"{room}/**/*.*" for room in (*ROOMS, *AROUND, "docs")]
    patterns += [".ci/*", "*.md", "*.toml", "*.txt", "Makefile", "Dockerfile", "*.yml", ".env.example"]
    for pattern in patterns:
        for path in sorted(ROOT.glob(pattern)):
            name = path.relative_to(ROOT)
            if path.is_file() and not BUILT.intersection(name.parts):
                yield name.as_posix(), path.read_text("utf-8")


def papers() -> dict[str, str]:
    """What people read, by path."""
    found = {path for pattern in PAPERS for path in ROOT.glob(pattern)}
    return {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in sorted(found)}
