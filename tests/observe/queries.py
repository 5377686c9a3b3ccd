"""Every query of every dashboard: each must find something at some time of a run."""

from tests.docs.test_observability import DASHBOARDS, panels
from tests.observe.prometheus import Prometheus


class Queries:
    """Those that have found nothing yet."""

    def __init__(self) -> None:
        asked = [
            (f"{board}, {panel['title']}", target["expr"])
            for board, told in DASHBOARDS.items()
            for panel in panels(told)
            for target in panel["targets"]
        ]
        self.count = len(asked)
        self._silent = asked

    def ask(self, server: Prometheus) -> int:
        """Ask what has found nothing so far; returns how many are left."""
        self._silent = [one for one in self._silent if not server.values(one[1])]
        return len(self._silent)

    def told(self) -> list[str]:
        """What is left, in words."""
        return [f"{panel}: {query}" for panel, query in self._silent]
