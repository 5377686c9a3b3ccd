"""`session-relay schema`: a draft is begun, checked and pinned, and what is released is guarded."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from config.errors import RelayError
from schemas.history import OURS
from schemas.versions import LATEST, PINNED_IDS, VERSIONS
from session_relay.cli import app

NEXT = LATEST.number + 1


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of our versions that may be written."""
    shutil.copy(OURS / "ids.json", tmp_path)
    shutil.copytree(OURS / "session_event", tmp_path / "session_event")
    return tmp_path


def run(tree: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["schema", *arguments, "--directory", str(tree)], env={"TERM": "dumb"})


def told(tree: Path, *arguments: str) -> Any:
    """What a command says with --json; its exit code is among it."""
    result = run(tree, *arguments, "--json")
    return json.loads(result.output) | {"exit": result.exit_code}


def problem(tree: Path, *arguments: str) -> str:
    result = run(tree, *arguments)
    assert isinstance(result.exception, RelayError)
    assert result.exception.exit_code == 1
    return str(result.exception)


def edited(tree: Path, number: int, **field: Any) -> None:
    """Add a field to a version's file."""
    path = tree / "session_event" / f"{number}.avsc"
    schema = json.loads(path.read_text("utf-8"))
    schema["fields"].append({"name": "added", "doc": "x", **field})
    path.write_text(json.dumps(schema), "utf-8")


def test_every_version_is_listed_with_its_id(tree: Path) -> None:
    listed = told(tree, "list")["versions"]
    assert [(one["version"], one["id"], one["state"]) for one in listed] == [
        (version.number, version.schema_id, "released") for version in VERSIONS.values()
    ]
    assert all(str(one["id"]) in run(tree, "list").output for one in listed)


def test_a_version_is_shown_byte_for_byte(tree: Path) -> None:
    assert run(tree, "show", "1").output == (tree / "session_event" / "1.avsc").read_text("utf-8")
    assert run(tree, "show").output == LATEST.text
    assert told(tree, "show", "1")["schema"] == json.loads(VERSIONS[1].text)
    assert f"there is no version {NEXT}" in problem(tree, "show", str(NEXT))


def test_a_draft_is_begun_checked_compared_and_pinned(tree: Path) -> None:
    assert told(tree, "new")["version"] == NEXT
    assert "is a draft already" in problem(tree, "new")
    assert f"says what version {LATEST.number} says" in problem(tree, "pin")
    edited(tree, NEXT, type=["null", "string"], default=None)
    checked = told(tree, "check")
    assert (checked["exit"], checked["findings"], checked["edited"]) == (0, [], [])
    assert checked["pairs"] == NEXT * (NEXT - 1) // 2
    compared = told(tree, "diff", str(LATEST.number), str(NEXT))
    assert (compared["added"], compared["removed"], compared["changed"]) == (["added"], [], [])
    assert compared["keeps"] == ["BACKWARD", "FORWARD", "FULL"]
    assert "added    added" in run(tree, "diff", str(LATEST.number), str(NEXT)).output
    assert told(tree, "pin")["id"] == PINNED_IDS[LATEST.number]
    assert told(tree, "list")["versions"][-1]["state"] == "released"
    assert told(tree, "check")["exit"] == 0


def test_a_draft_that_cannot_read_what_was_written_is_found_and_not_pinned(tree: Path) -> None:
    run(tree, "new")
    edited(tree, NEXT, type="string")
    checked = told(tree, "check")
    assert checked["exit"] == 1
    assert {(one["reader"], one["writer"]) for one in checked["findings"]} == {
        (NEXT, number) for number in VERSIONS
    }
    assert f"{NEXT} can't read 1" in run(tree, "check").output
    assert told(tree, "check", "--mode", "forward")["exit"] == 0
    assert told(tree, "diff", str(LATEST.number), str(NEXT))["keeps"] == ["FORWARD"]
    assert "schema check" in problem(tree, "pin")


def test_a_released_file_that_was_edited_is_found(tree: Path) -> None:
    with (tree / "session_event" / "1.avsc").open("a", encoding="utf-8") as file:
        file.write("\n")
    checked = told(tree, "check")
    assert (checked["exit"], checked["findings"], checked["edited"]) == (1, [], [1])
    assert "1 was edited" in run(tree, "check").output
    run(tree, "new")
    edited(tree, NEXT, type="int", default=0)
    assert "schema check" in problem(tree, "pin")


def test_files_that_are_no_history_are_refused(tree: Path) -> None:
    (tree / "session_event" / f"{NEXT + 1}.avsc").write_text(LATEST.text, "utf-8")
    assert "are not 1, 2, 3" in problem(tree, "list")
    (tree / "ids.json").write_text("[", "utf-8")
    assert "no history of schemas" in problem(tree, "check")
