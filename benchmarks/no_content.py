"""The relay's limit: the relay's own listener and settings before an application that answers 204 at once.

Run as `python -m benchmarks.no_content PORT`; it prints its port when it listens, and ends on SIGTERM.
"""

import asyncio
import signal
import sys
from typing import TYPE_CHECKING, cast

import uvloop

from config.collector import calm_collector
from config.sections import HttpSettings
from producers.exchange import Exchange, Scope
from producers.listener import Listener

if TYPE_CHECKING:
    from producers.web import Web


class NoContent:
    """Answers everything, without looking at it."""

    async def __rsgi__(self, scope: Scope, exchange: Exchange) -> None:
        """Answer one request."""
        exchange.response_bytes(204, [], b"")


async def _serve(port: int) -> None:
    ending = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ending.set)
    listener = Listener(cast("Web", NoContent()), HttpSettings(port=port))
    print(await listener.start(), flush=True)
    calm_collector()  # as the relay does
    await ending.wait()
    await listener.close(1.0)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(int(sys.argv[1])))
