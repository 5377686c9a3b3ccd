"""A rebuild, as an operator sees it: what is to be read, a progress bar, the difference."""

import json
import sys
from collections import Counter
from collections.abc import Mapping
from typing import Any

import typer
from psycopg import Connection
from rich.console import Console

from config.collector import calm_collector
from config.errors import StoppedForSafety
from config.settings import Settings
from consumers.decoding import Decoder
from consumers.replay.difference import Difference
from consumers.replay.folding import Told
from consumers.replay.notes import Cancelled, Replay, Replays
from consumers.replay.order import Order
from consumers.replay.origin import Origin
from consumers.replay.progress import Progress
from consumers.replay.rebuild import Building, Rebuild
from consumers.replay.renormalising import RenormalisingDecoder
from consumers.replay.shadow import Shadow
from consumers.replay.swap import refuse, swap
from consumers.writer import TURN_S
from session_relay.commands.replay_parts import Part, fold_in_parts, shares
from session_relay.commands.replay_plan import Foreign, Wanted, Work, check, plan, progress_bar, say


def rebuild_of(
    settings: Settings, connection: Connection[Any], origin: Origin, order: Order, foreign: Foreign
) -> Rebuild:
    """What an order means for the log as it is now."""
    decoder = Decoder(foreign)
    if order.renormalise:
        from session_relay.renormalising import renormaliser  # noqa: PLC0415 - every vendor, which few need

        decoder = RenormalisingDecoder(renormaliser(settings), foreign)
    return Rebuild(settings, connection, origin, decoder)


def rebuild(
    settings: Settings,
    connection: Connection[Any],
    origin: Origin,
    order: Order,
    wanted: Wanted,
    foreign: Foreign,
) -> None:
    """Say or do it."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    rebuilding, replays = rebuild_of(settings, connection, origin, order, foreign), Replays(connection)
    held = origin.held
    earlier = replays.unfinished(order)
    if earlier is not None and earlier.topic_id != held.topic_id:
        raise StoppedForSafety(
            f"{held.topic} was recreated since rebuild {earlier.id} began: "
            f"`session-relay replays cancel {earlier.id} --execute`, and begin anew"
        )
    ranges = rebuilding.ranges()
    check(console, origin, ranges, execute=wanted.execute)
    work = Work(held, ranges, earlier, 0)
    told = plan(work, replays.parked(held, ranges)) | {"beyond_the_log": rebuilding.beyond_the_log()}
    say(console, work, told)
    console.print(f"beyond_the_log: {told['beyond_the_log']:,} rows are older than the log, and stay.")
    if not wanted.execute:
        if wanted.as_json:
            typer.echo(json.dumps({**told, "executed": False}))
        else:
            typer.echo(f"Not done: {told['records']:,} records to fold with --execute.")
        return
    if wanted.swap:
        refuse(connection, rebuilding.live)
    replay = earlier or replays.begin(order, held, ranges, "seeding")
    with replays.alone(replay.id):
        try:
            found = _done(console, rebuilding, replays, replay, told, wanted)
        except Cancelled:
            Shadow(settings.db, replay.id).drop(connection)
            raise
    if wanted.as_json:
        typer.echo(json.dumps({**told, "executed": True, "replay": replay.id, **found}))


def _done(
    console: Console,
    rebuilding: Rebuild,
    replays: Replays,
    replay: Replay,
    told: Mapping[str, Any],
    wanted: Wanted,
) -> dict[str, Any]:
    calm_collector()
    sys.setswitchinterval(TURN_S)
    with rebuilding.begun(replays, replay) as building:

        def phase(name: str) -> None:
            replays.note(replay, phase=name)

        with progress_bar(console, told["records"], f"rebuild {replay.id}") as bar:
            phase("folding")
            progress = Progress(building, replays, replay, bar)
            retold = _folded_in_parts(building, replay, wanted, progress)
            building.catch_up(progress, wanted.rate)
        phase("comparing")
        difference = building.compare(most=wanted.examples, show_values=wanted.show_values)
        retold.update(_retold(rebuilding.decoder))
        figures = _figures(building, difference) | retold
        at = {number: position.begin for number, position in building.folding.positions.items()}
        replays.note(replay, phase="built", figures=figures, next_offsets=at)
        if not wanted.as_json:
            show(difference, building.beyond)
        if wanted.swap:
            _check_loss(difference, wanted)
            since = building.finish(phase)
            swap(building, replay, since, lambda _: None, phase)
    if not wanted.as_json:
        typer.echo(_ending(building, replay, wanted))
    return {**figures, "swapped": wanted.swap, "examples": difference.examples}


def _folded_in_parts(building: Building, replay: Replay, wanted: Wanted, told: Told) -> Counter[str]:
    """Fold by several processes, where that is wanted and of use; returns what their decoders count."""
    parts = [Part(replay.id, share) for share in shares(building.left(), wanted.processes)]
    if len(parts) < 2:  # noqa: PLR2004 - one is this process itself
        return Counter()
    counted: Counter[str] = Counter()
    for figures in fold_in_parts(parts, wanted.of_parts, rate=wanted.rate, told=told):
        counted.update(figures)
    building.again()
    return counted


def _retold(decoder: Decoder) -> Counter[str]:
    if not isinstance(decoder, RenormalisingDecoder):
        return Counter()
    return Counter(renormalised=decoder.retold, kept=decoder.kept)


def _check_loss(difference: Difference, wanted: Wanted) -> None:
    """Refuse a swap that would lose rows, or states that win over those of the log, unless that is wanted."""
    if difference.turned_back and not wanted.allow_older:
        raise StoppedForSafety(
            f"{difference.turned_back:,} rows of the live table have a later state than the log gives them: "
            "look at them, then --allow-older if that is right"
        )
    if difference.only_in_table and not wanted.allow_fewer:
        raise StoppedForSafety(
            f"{difference.only_in_table:,} rows of the live table are not in the log and would be gone: "
            "look at them, then --allow-fewer if that is right"
        )


def _ending(building: Building, replay: Replay, wanted: Wanted) -> str:
    if wanted.swap:
        former = building.shadow.former
        return (
            f"Done: the live table is rebuild {replay.id} now. The former one is {former}.sessions until "
            f"you drop it: DROP SCHEMA {former} CASCADE"
        )
    return (
        f"Done: rebuild {replay.id} is in the table {building.shadow.schema}.sessions; the same command with "
        f"--swap puts it in place, `session-relay replays cancel {replay.id} --execute` removes it."
    )


def _figures(building: Building, difference: Difference) -> dict[str, Any]:
    counts = difference._asdict()
    del counts["examples"]
    return {"beyond_the_log": building.beyond, "difference": counts}


def show(difference: Difference, beyond: int) -> None:
    """Print the difference; whose rows they are is told by their keys alone, unless values were asked for."""
    typer.echo(f"rows only in the log: {difference.only_in_log:,}")
    typer.echo(f"rows only in the table: {difference.only_in_table:,}")
    typer.echo(f"rows that differ: {difference.differing:,}")
    for name, count in difference.columns.items():
        typer.echo(f"  {name}: {count:,}")
    if difference.turned_back:
        typer.echo(f"rows that a swap would turn back: {difference.turned_back:,}")
    typer.echo(f"rows beyond the log, kept as they are: {beyond:,}")
    for one in difference.examples:
        columns = f" ({', '.join(one['columns'])})" if one["columns"] else ""
        key = f"{one['tenant']}/{one['source']}/{one['session_id']}"
        typer.echo(f"{one['kind']:<14} {key!r}{columns}")
        for side in ("table", "log"):
            if side in one:
                typer.echo(f"    {side}: {json.dumps(one[side], default=str)}")
