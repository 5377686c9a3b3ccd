"""The list of defects, and how one gets into a copy of the tree."""

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
LIST = Path(__file__).with_name("defects.toml")


class Edit(NamedTuple):
    """One place that is changed."""

    file: str
    find: str
    put: str


class Defect(NamedTuple):
    """What is broken, and what has to notice it."""

    name: str
    says: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]
    chaos: str
    stops: bool


class DoesNotApply(Exception):
    """The code has moved on: the defect must be told anew."""


def defects() -> list[Defect]:
    """All of them, in the order of the list."""
    return [
        Defect(
            name=told["name"],
            says=told["says"],
            edits=tuple(Edit(**edit) for edit in told["edit"]),
            tests=tuple(told.get("tests", ())),
            chaos=told.get("chaos", ""),
            stops=told.get("stops", False),
        )
        for told in tomllib.loads(LIST.read_text("utf-8"))["defect"]
    ]


def broken(defect: Defect, tree: Path) -> dict[str, str]:
    """The files that the defect changes, as they become.

    Raises:
        DoesNotApply: What is to be changed is not there, or more than once.
    """
    texts: dict[str, str] = {}
    for file, find, put in defect.edits:
        text = texts.get(file) or (tree / file).read_text("utf-8")
        if text.count(find) != 1:
            raise DoesNotApply(f"{defect.name}: {file} has {text.count(find)} times {find.strip()[:60]!r}")
        texts[file] = text.replace(find, put)
    return texts


@contextmanager
def put_into(defect: Defect, tree: Path) -> Iterator[None]:
    """The defect is in the tree while the block lasts."""
    texts = broken(defect, tree)
    before = {file: (tree / file).read_text("utf-8") for file in texts}
    try:
        for file, text in texts.items():
            (tree / file).write_text(text, "utf-8")
        yield
    finally:
        for file, text in before.items():
            (tree / file).write_text(text, "utf-8")
