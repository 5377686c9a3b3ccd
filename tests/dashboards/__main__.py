"""Writes every dashboard to where Grafana's provisioning finds it."""

from pathlib import Path
from typing import Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from tests.dashboards.dead_letters import dead_letters
from tests.dashboards.flow import flow
from tests.dashboards.processes import processes
from tests.docs.source_tree import ROOT

DIRECTORY: Final = ROOT / "config" / "grafana" / "dashboards"


def written() -> dict[Path, str]:
    """The text of each file, by its path."""
    made = {"flow": flow, "dead-letters": dead_letters, "processes": processes}
    encoder = JSONEncoder(sort_keys=True, indent=2)
    return {
        DIRECTORY / f"{name}.json": encoder.encode(board().build()) + "\n" for name, board in made.items()
    }


if __name__ == "__main__":
    for path, text in written().items():
        path.write_text(text, "utf-8")
