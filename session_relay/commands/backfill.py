"""`session-relay backfill`: what webhooks missed, from a vendor's API."""

import json
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Final, Self

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from config import logs, settings
from config.errors import ExitCode, RelayError
from producers.backfill import role
from producers.backfill.asleep import Days
from producers.backfill.order import Order
from producers.backfill.tally import SessionEnd, Tally, UserEnd
from producers.backfill.users import check_apart, users_of

_DAY: Final = ["%Y-%m-%d"]


class _Usage(RelayError):
    exit_code = ExitCode.USAGE


def command(  # noqa: PLR0913 - each is one option of the command
    *,
    source: Annotated[str, typer.Option(help="Name of the source that the events belong to.")] = "asleep",
    user: Annotated[
        list[str] | None, typer.Option(help="Id of a user as the vendor knows it; may be repeated.")
    ] = None,
    users: Annotated[Path | None, typer.Option(help="File of such ids, one a line.")] = None,
    first: Annotated[
        datetime, typer.Option("--from", formats=_DAY, help="First day, in UTC, on which sessions began.")
    ],
    last: Annotated[datetime, typer.Option("--to", formats=_DAY, help="Last such day, itself included.")],
    state: Annotated[
        Path | None,
        typer.Option(help="File that an interrupted run goes on from. Default: one below .session-relay."),
    ] = None,
    failed: Annotated[
        Path | None, typer.Option(help="File for the ids of the users that failed; fit for --users.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Fetch, check and count; publish and note nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")] = False,
) -> None:
    """Fetch finished sessions from the vendor's API, and publish the events that webhooks missed.

    They are the very events of the webhooks: what is stored already is a duplicate and changes nothing, so it
    publishes without asking. At most BACKFILL__RATE_PER_S requests a second; 429, errors and outages are
    waited for, up to BACKFILL__PATIENCE_S. The same command goes on where an interrupted one ended, and tries
    those that failed again; once all is done it begins anew. Exits with 0 if every user is done (or unknown
    to the vendor), with 1 if some failed or a signal came before, with 4 if the vendor or Kafka is away.

    Example: ASLEEP_API_KEY=… session-relay backfill --users ids.txt --from 2026-10-01 --to 2026-10-31
    """
    days = _days(first.date(), last.date())
    check_apart(users, failed)
    order = Order(
        source=source,
        users=users_of(user or [], users),
        days=days,
        state=state or Path(".session-relay/backfill") / f"{source}-{days.first}-{days.last}.state",
        failed=failed,
        dry=dry_run,
    )
    tree = settings.load("backfill")
    logs.configure(tree.app, "backfill")
    tally = Tally()
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        with _Bar(console, tally) as bar:
            code = role.run(tree, order, tally, bar.show)
    finally:
        if tally.users:  # else it was refused before it began
            _tell(console, tally, dry_run=dry_run)
            if as_json:
                print(json.dumps(tally.figures()))  # noqa: T201 - the command's output
    raise typer.Exit(int(code))


def _days(first: date, last: date) -> Days:
    if last < first:
        raise _Usage("--to is before --from")
    return Days(first=first, last=last)


class _Bar:
    """A progress bar on a terminal; elsewhere the log and the summary have to do."""

    def __init__(self, console: Console, tally: Tally) -> None:
        self._tally = tally
        self._bar = Progress(
            TextColumn("users"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task: TaskID = self._bar.add_task("", total=None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self) -> None:
        """Draw the tally as it is now."""
        tally = self._tally
        text = (
            f"{tally.sessions[SessionEnd.PUBLISHED]:,} sessions, {tally.repeats:,} repeats, "
            f"{tally.ended[UserEnd.FAILED]:,} failed"
        )
        self._bar.update(self._task, total=tally.users, completed=tally.users - tally.left, description=text)


def _tell(console: Console, tally: Tally, *, dry_run: bool) -> None:
    sessions, ended = tally.sessions, tally.ended
    console.print(
        f"{tally.users:,} users: {ended[UserEnd.DONE]:,} done, {tally.earlier:,} by an earlier run, "
        f"{ended[UserEnd.UNFINISHED]:,} with unfinished sessions, {ended[UserEnd.UNKNOWN]:,} unknown to the "
        f"vendor, {ended[UserEnd.FAILED]:,} failed, {tally.left:,} left"
    )
    published = "could be published" if dry_run else "published"
    console.print(
        f"{sessions[SessionEnd.PUBLISHED]:,} sessions {published}, "
        f"{sessions[SessionEnd.UNFINISHED]:,} unfinished, {sessions[SessionEnd.GONE]:,} gone, "
        f"{sessions[SessionEnd.UNREADABLE]:,} unreadable; "
        f"{tally.requests:,} requests, {tally.repeats:,} of them repeated"
    )
    if not dry_run and (tally.left or ended[UserEnd.FAILED]):
        console.print("The same command goes on from here.")
