"""Every command's `--help` is worth reading: what it does, an example, each option explained."""

from collections.abc import Iterator
from importlib.metadata import version

import pytest
from typer.core import TyperCommand, TyperGroup, TyperOption
from typer.main import get_command
from typer.testing import CliRunner

from session_relay.cli import app


def commands(command: object, *path: str) -> Iterator[tuple[tuple[str, ...], TyperCommand]]:
    if isinstance(command, TyperGroup):
        for name, inner in command.commands.items():
            yield from commands(inner, *path, name)
    elif isinstance(command, TyperCommand):
        yield path, command


COMMANDS = dict(commands(get_command(app)))


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_says_what_it_does_and_shows_an_example(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "100", "TERM": "dumb"})
    assert result.exit_code == 0
    assert "Example:" in result.output
    assert COMMANDS[path].help


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_explains_each_option(path: tuple[str, ...]) -> None:
    bare = [
        parameter.name
        for parameter in COMMANDS[path].params
        if isinstance(parameter, TyperOption) and not parameter.help
    ]
    assert bare == []


def test_the_first_help_lists_all_and_tells_the_exit_codes() -> None:
    output = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "100", "TERM": "dumb"}).output
    assert [path for path in COMMANDS if path[0] not in output] == []
    assert "Exit codes" in output


def test_the_version_is_that_of_the_package() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.output) == (0, f"session-relay {version('session-relay')}\n")
