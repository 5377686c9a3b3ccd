"""The simulator against a relay that runs somewhere: sends, shows progress, and can check the table."""

import asyncio
import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Final

import psycopg
import stamina
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from config.errors import Unavailable
from session_relay.simulate import nights
from session_relay.simulate.compare import Comparison, compare
from session_relay.simulate.ledger import Ledger
from session_relay.simulate.sender import Credentials, Manner, Sender, Tally
from session_relay.simulate.traffic import Plan

_SHOW_EVERY_S: Final = 0.2
_COMPARE_EVERY_S: Final = 0.5


@dataclass(frozen=True, kw_only=True)
class Order:
    """What one simulation sends, and where to.

    Attributes:
        url: The relay's public address.
        credentials: Per source that takes part; its name as in the relay's settings.
        count: Deliveries.
        nights: A file of nights; None for the model's.
        run: Part of every user and session id; fresh by default, so that runs never meet.
    """

    url: str
    credentials: dict[str, Credentials]
    seed: int
    count: int
    manner: Manner
    nights: Path | None = None
    run: str = field(default_factory=lambda: secrets.token_hex(4))


def send(order: Order, console: Console) -> tuple[Ledger, Tally]:
    """Send it all, with a progress bar on a terminal.

    Returns:
        The ledger, and what the sender counted.

    Raises:
        NightsError: The file of nights can't be used.
        Unavailable: Nothing was answered at all.
    """
    source = nights.from_file(order.nights) if order.nights else nights.drawn(Random(order.seed))  # noqa: S311 - repeatable nights, not a secret
    plan = Plan(seed=order.seed, run=order.run, now=datetime.now(UTC), sources=tuple(order.credentials))
    ledger = Ledger()
    stamina.instrumentation.set_on_retry_hooks([])  # retries are counted, not logged one by one
    sender = Sender(order.url, order.credentials, ledger, order.manner)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("deliveries", total=order.count)

        async def show() -> None:
            while True:
                progress.update(task, completed=sender.tally.acknowledged)
                await asyncio.sleep(_SHOW_EVERY_S)

        async def both() -> None:
            shown = asyncio.create_task(show())
            try:
                await sender.run(plan.lanes(source, order.count))
            finally:
                shown.cancel()
            progress.update(task, completed=sender.tally.acknowledged)

        asyncio.run(both())
    if sender.silence is not None:
        raise Unavailable(f"{order.url} answers nothing: {sender.silence}")
    return ledger, sender.tally


def check(database_url: str, ledger: Ledger, tenant: str, within_s: float) -> Comparison:
    """Compare the table with the ledger until they agree, or the time is up.

    Args:
        database_url: Where the table is.
        ledger: What was sent and acknowledged.
        tenant: The tenant that the relay's sources belong to.
        within_s: Seconds that the sink may take to catch up.

    Raises:
        Unavailable: The table could not be read.
    """
    deadline_s = time.monotonic() + within_s
    try:
        with psycopg.connect(database_url, autocommit=True, connect_timeout=5) as connection:
            while (found := compare(connection, ledger, tenant)).differences:
                if time.monotonic() > deadline_s:
                    break
                time.sleep(_COMPARE_EVERY_S)
            return found
    except psycopg.OperationalError as error:
        raise Unavailable("The table can't be read at DATABASE_URL to be checked") from error
