"""A replay to a topic, as an operator sees it: what is to be done, a progress bar, what was done."""

import json
from collections.abc import Mapping
from typing import Any

import typer
from psycopg import Connection
from rich.console import Console

from config.errors import ExitCode, StoppedForSafety
from config.settings import Settings
from consumers.replay.copying import Copying
from consumers.replay.held import Logs
from consumers.replay.notes import Replay, Replays
from consumers.replay.order import Bound, Order, ranges_between
from consumers.replay.origin import Origin
from consumers.replay.placing import of_user
from consumers.replay.reading import rest_of
from session_relay.commands.moments import moment
from session_relay.commands.replay_plan import Foreign, Wanted, Work, check, plan, progress_bar, say


def replay_to_topic(
    settings: Settings,
    connection: Connection[Any],
    origin: Origin,
    order: Order,
    wanted: Wanted,
    foreign: Foreign,
) -> None:
    """Say or do it; exits with 1 if it was done and no record matched."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    replays = Replays(connection)
    Logs(settings.kafka).identity(str(order.target))
    work = _work(connection, origin, replays, order)
    check(console, origin, work.ranges, execute=wanted.execute)
    parked = replays.parked(work.held, work.ranges)
    told = plan(work, parked)
    if not wanted.execute:
        say(console, work, told)
        if wanted.as_json:
            typer.echo(json.dumps({**told, "executed": False}))
        else:
            typer.echo(f"Not done: {told['records']:,} records to read with --execute.")
        return
    say(console, work, told)
    replay = work.earlier or replays.begin(order, work.held, work.ranges, "copying")
    with (
        replays.alone(replay.id),
        origin.reading(work.ranges) as reading,
        progress_bar(console, told["records"], f"replay {replay.id}") as bar,
    ):
        figures = Copying(settings.kafka, order, rate=wanted.rate, foreign=foreign)(
            reading,
            replay.figures,
            note=lambda at, figures: replays.note(replay, phase="copying", next_offsets=at, figures=figures),
            told=bar,
        )
        replays.note(replay, phase="done", state="done")
    if wanted.as_json:
        typer.echo(json.dumps({**told, "executed": True, "replay": replay.id, **figures}))
    else:
        typer.echo(_ending(replay, order, figures))
    if not figures["sent"]:
        console.print("No record of that range matches.")
        raise typer.Exit(ExitCode.FAILED)


def _work(connection: Connection[Any], origin: Origin, replays: Replays, order: Order) -> Work:
    held = origin.held
    earlier = replays.unfinished(order)
    if earlier is not None:
        if earlier.topic_id != held.topic_id or not set(earlier.ranges) <= set(held.end):
            raise StoppedForSafety(
                f"{held.topic} is not the topic any more that replay {earlier.id} has read: "
                f"`session-relay replays cancel {earlier.id} --execute`, and begin anew"
            )
        rest, removed = rest_of(earlier.ranges, earlier.next_offsets, held.first)
        return Work(held, rest, earlier, removed)
    ranges = ranges_between(origin, _bound("--from", order.first), _bound("--to", order.last))
    if order.user is not None:
        ranges = of_user(origin, connection, ranges, order.user)
    return Work(held, ranges, None, 0)


def _bound(option: str, told: str | None) -> Bound | None:
    if told is None:
        return None
    return int(told) if told.isascii() and told.isdecimal() else moment(option, told)


def _ending(replay: Replay, order: Order, figures: Mapping[str, int]) -> str:
    others = [
        f"{figures[name]:,} {words}"
        for name, words in (("left_out", "not asked for"), ("unreadable", "that can't be read"))
        if figures[name]
    ]
    rest = f", {', '.join(others)}" if others else ""
    return f"Done: replay {replay.id}, {figures['sent']:,} records sent to {order.target}{rest}."
