"""`make pictures`: draws what the README shows of the terminal, from real roles with real traffic."""

import re
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from io import StringIO
from pathlib import Path
from threading import Thread
from typing import Final

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console

from session_relay.status.figures import Flow
from session_relay.status.shown import shown
from session_relay.status.sidecars import Sidecars, Told
from tests.docs.source_tree import ROOT
from tests.eventually import eventually
from tests.observe.stage import Stage

STATUS: Final = ROOT / "docs/images/status.svg"
_COLUMNS: Final = 84
_FRAME: Final = re.sub(r"<!--.*?-->\s*|@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
"""Rich's own, without the fonts that it would have a browser fetch from a foreign host, and a remark."""


def picture(flow: Flow) -> str:
    """What `session-relay status` prints of a flow, as SVG."""
    console = Console(record=True, width=_COLUMNS, file=StringIO(), force_terminal=True, highlight=False)
    console.print(shown(flow))
    svg = console.export_svg(title="session-relay status", code_format=_FRAME, unique_id="status")
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


def with_usual_ports(flow: Flow, urls: Mapping[str, str]) -> Flow:
    """The same flow on the ports that the settings name, for these were drawn."""
    return replace(flow, roles=tuple(replace(told, url=urls[told.url]) for told in flow.roles))


def main() -> None:
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="session-relay-pictures-")))
        stage = Stage(stack, directory)
        usual = {"relay": "http://127.0.0.1:9101", "sink": "http://127.0.0.1:9102"}
        urls = {f"http://{at}": usual[name] for name, at in sorted(stage.targets().items())}
        sidecars = Sidecars(list(urls))
        stage.make_occasions()
        sending = Thread(target=stage.send_nights, args=(1_500, 60.0))
        sending.start()
        before: list[Flow] = []

        def flows() -> bool:
            """Wait for a look at which everything moves."""
            first = sidecars.ask()
            eventually(
                lambda: sum(sidecars.ask()[1].values("sink_records_total")) > _committed(first) + 100, 60
            )
            before[:] = [Flow.between(first, sidecars.ask())]
            sink = before[0].sink
            return sink is not None and sink.written_per_s > 1 and sink.dead_letters_open > 0

        eventually(flows, 90)
        STATUS.parent.mkdir(exist_ok=True)
        STATUS.write_text(picture(with_usual_ports(before[0], urls)), "utf-8")
        sending.join()
    sys.stdout.write(f"{STATUS.relative_to(ROOT)}\n")


def _committed(told: list[Told]) -> float:
    return sum(told[1].values("sink_records_total"))


if __name__ == "__main__":
    main()
