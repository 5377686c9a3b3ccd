"""`session-relay dead-letters` as an operator runs it, on a rig's services."""

import json
from typing import Any

from typer.testing import CliRunner, Result

from session_relay.cli import app
from tests.eventually import eventually
from tests.sink_rig import SinkRig


def run(rig: SinkRig, *arguments: object) -> Result:
    """One command; what it raises is in the result."""
    words = ["dead-letters", *map(str, arguments)]
    return CliRunner().invoke(app, words, env=rig.environment())


def told(rig: SinkRig, *arguments: object) -> Any:
    """What one command answers with --json."""
    result = run(rig, *arguments, "--json")
    assert result.stdout, result.exception
    return json.loads(result.stdout)


def listed(rig: SinkRig, *arguments: object) -> list[dict[str, Any]]:
    """Letters of a page."""
    letters: list[dict[str, Any]] = told(rig, "list", *arguments)["letters"]
    return letters


def wait_for(rig: SinkRig, count: int, *arguments: object) -> list[dict[str, Any]]:
    """Wait until so many are listed."""
    eventually(lambda: len(listed(rig, *arguments)) == count, every_s=0.2)
    return listed(rig, *arguments)
