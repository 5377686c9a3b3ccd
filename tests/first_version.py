"""The software as it was before version 2 of the event: a tree of its own, run by processes of its own."""

import json
import os
import re
import shutil
from pathlib import Path
from typing import Final

from tests.docs.source_tree import ROOMS, ROOT

BROUGHT: Final = "utc_offset_seconds"
"""The field that version 2 brought; whatever names it is taken back."""
MIGRATION: Final = "0004_utc_offset.sql"
_LATER: Final = {"consumers/sql/purge_replays.sql": "DELETE FROM dead_letters WHERE %(keep_days)s < 0"}
"""Statements on tables of later migrations, which the first version could not have: nothing is done."""
_IN_A_LIST: Final = re.compile(rf'"?{BROUGHT}"?, ')
_ON_A_LINE: Final = re.compile(rf"^.*{BROUGHT}.*\n", re.MULTILINE)


def first_version(directory: Path) -> dict[str, str]:
    """Make the tree, and return the settings with which a process runs on it instead of on ours."""
    for room in ROOMS:
        shutil.copytree(ROOT / room, directory / room, ignore=shutil.ignore_patterns("__pycache__"))
    for path in [*directory.rglob("*.py"), *directory.rglob("*.sql")]:
        text = path.read_text("utf-8")
        if BROUGHT in text:
            path.write_text(_ON_A_LINE.sub("", _IN_A_LIST.sub("", text)), "utf-8")
    for name, nothing in _LATER.items():
        (directory / name).write_text(nothing, "utf-8")
    for path in (directory / "config" / "migrations" / "versions").iterdir():
        if path.name >= MIGRATION:
            path.unlink()
    for path in (directory / "schemas" / "session_event").iterdir():
        if path.stem != "1":
            path.unlink()
    ids = directory / "schemas" / "ids.json"
    ids.write_text(json.dumps({"1": json.loads(ids.read_text("utf-8"))["1"]}), "utf-8")
    # a process started with -m would else look into its working directory first
    searched = os.pathsep.join(filter(None, [str(directory), os.environ.get("PYTHONPATH")]))
    return {"PYTHONPATH": searched, "PYTHONSAFEPATH": "1"}
