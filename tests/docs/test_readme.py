"""What the papers say is what the code does: tables, commands, targets, files."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from session_relay.cli import app
from tests.docs.source_tree import AROUND, ROOMS, ROOT, papers
from tests.docs.tables import README, TABLES, marked, renewed

ROOT_COMMAND = get_command(app)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
TARGET = re.compile(r"^([a-z]+):", re.MULTILINE)
ASSIGNMENT = re.compile(r"^[A-Z_]+=")
OF_THE_TREE = re.compile(rf"^(?:{'|'.join((*ROOMS, *AROUND, 'docs'))})/[\w./*-]+$")


def shown() -> Iterator[tuple[str, str]]:
    """Paper and text of everything that is set in type as code: lines of shell, and inline."""
    for name, text in papers().items():
        for language, block in FENCE.findall(text):
            if language in {"sh", "console"}:
                lines = block.replace("\\\n", " ").splitlines()
                yield from ((name, line.removeprefix("$ ").strip()) for line in lines)
        yield from ((name, code) for code in INLINE.findall(FENCE.sub("", text)))


def calls(program: str) -> list[tuple[str, list[str]]]:
    """Paper and arguments of each call of a program, `$(…)` and assignments taken off."""
    found = []
    for name, line in shown():
        for part in re.split(r"\s(?:&&|\||;|&)\s?|[()\"]|\s#\s", line):
            words = _words(part)
            while words and ASSIGNMENT.match(words[0]):
                words = words[1:]
            if words and words[0] == program:
                found.append((name, words[1:]))
    return found


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return []


@pytest.mark.parametrize("name", TABLES)
def test_the_table_is_what_the_code_says(name: str) -> None:
    """Renewed by `python -m tests.docs.tables`."""
    text = README.read_text("utf-8")
    assert len(marked(name).findall(text)) == 1
    assert marked(name).findall(renewed(text)) == marked(name).findall(text)


def test_every_command_shown_exists_with_its_options() -> None:
    shown_calls = calls("session-relay")
    assert {name for name, _ in shown_calls} >= {"README.md"}
    assert [f"{name}: {' '.join(words)}" for name, words in shown_calls if not _known(words)] == []


def _known(words: list[str]) -> bool:
    command: Any = ROOT_COMMAND
    options = [word.partition("=")[0] for word in words if word.startswith("--")]
    for word in words:
        if not isinstance(command, TyperGroup) or word.startswith("-"):
            break
        if word not in command.commands:
            return False
        command = command.commands[word]
    known = {option for parameter in command.params for option in parameter.opts + parameter.secondary_opts}
    return set(options) <= known | {"--help"}


def test_every_target_shown_exists() -> None:
    targets = set(TARGET.findall((ROOT / "Makefile").read_text("utf-8")))
    shown_targets = {
        (name, word)
        for name, words in calls("make")
        for word in words[:1]
        if word.isalpha() and word.islower()
    }
    assert ("README.md", "demo") in shown_targets
    assert {(name, word) for name, word in shown_targets if word not in targets} == set()


def test_every_file_named_exists() -> None:
    named = {(name, code) for name, code in shown() if OF_THE_TREE.match(code) and "NNNN" not in code}
    assert any(code.startswith("tests/faults/") for _, code in named)
    assert {(name, code) for name, code in named if not list(ROOT.glob(code))} == set()


def test_every_command_is_named_in_the_readme() -> None:
    named = {words[0] for name, words in calls("session-relay") if name == "README.md" and words}
    assert isinstance(ROOT_COMMAND, TyperGroup)
    assert set(ROOT_COMMAND.commands) - named == set()
