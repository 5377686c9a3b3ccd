"""`session-relay replay`: read a part of the log, or of an archive, again."""

from contextlib import ExitStack
from typing import Annotated

import typer

from config import logs
from config.errors import SettingsError
from config.migrations.check import connect, require_current
from config.migrations.files import migrations
from config.settings import Settings, load
from consumers.pool import database_url
from consumers.replay.notes import Replays
from consumers.replay.order import Order
from consumers.replay.origin import LogOrigin, Origin
from schemas.by_settings import foreign_schemas
from schemas.event import EventType
from session_relay.commands.replay_parts import Part, fold_part
from session_relay.commands.replay_plan import Wanted
from session_relay.commands.replay_rebuild import rebuild as rebuild_table
from session_relay.commands.replay_rebuild import rebuild_of
from session_relay.commands.replay_topic import replay_to_topic

_BOUND = "a time (`2h`, `7d`, RFC 3339) or an offset in each partition"
FromArchive = Annotated[
    str | None, typer.Option("--from-archive", help="Read this archive first, then the topic behind it.")
]
Renormalise = Annotated[
    bool, typer.Option("--renormalise", help="With --rebuild: read `raw` by today's normalisers.")
]
Swap = Annotated[
    bool, typer.Option("--swap", help="With --rebuild: put the new table in the live one's place.")
]
AllowFewer = Annotated[
    bool, typer.Option("--allow-fewer", help="With --swap: lose rows that the log does not have.")
]
AllowOlder = Annotated[
    bool, typer.Option("--allow-older", help="With --swap: turn rows back to older states of the log.")
]
ShowValues = Annotated[
    bool, typer.Option("--show-values", help="Tell their values too, which are about people.")
]
Processes = Annotated[
    int,
    typer.Option(min=1, max=256, metavar="N", help="With --rebuild: fold by so many, some partitions each."),
]
PartOfOne = Annotated[
    str | None, typer.Option(hidden=True, help="Which partitions of which rebuild this child folds.")
]


def command(  # noqa: PLR0913 - each is one option of the command
    *,
    first: Annotated[str | None, typer.Option("--from", help=f"Begin: {_BOUND}. Default: all.")] = None,
    last: Annotated[str | None, typer.Option("--to", help=f"End, itself left out: {_BOUND}.")] = None,
    user: Annotated[str | None, typer.Option(help="Only records with this user's key.")] = None,
    source: Annotated[str | None, typer.Option(help="Only events of this source.")] = None,
    kind: Annotated[EventType | None, typer.Option("--type", help="Only events of this type.")] = None,
    topic: Annotated[str | None, typer.Option(help="Topic to send the records to; it must exist.")] = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Fold the log into a new table.")] = False,
    archive: FromArchive = None,
    renormalise: Renormalise = False,
    swap: Swap = False,
    allow_fewer: AllowFewer = False,
    allow_older: AllowOlder = False,
    examples: Annotated[int, typer.Option(min=0, help="Differing rows of each kind to name.")] = 20,
    show_values: ShowValues = False,
    processes: Processes = 1,
    rate: Annotated[float | None, typer.Option(min=0.1, help="Records a second at most.")] = None,
    execute: Annotated[bool, typer.Option("--execute", help="Do it; without this only say it.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")] = False,
    part: PartOfOne = None,
) -> None:
    """Read a part of the log again: to another topic, or into a new table beside the live one.

    --topic sends records on with their own keys, bytes, headers and event ids. --rebuild folds all of the
    log, up to where the sinks are, into a table of its own by the sinks' rule, and tells what differs from
    the live one; rows older than the log stay as they are (beyond_the_log). --swap puts it in the live
    one's place. --from-archive reads what `session-relay archive` has kept, as if retention had not ended,
    and goes on with the topic if it is still the same; damaged files are refused before anything is written.

    Without --execute it says how much that is, where the log begins, and what of it was parked. No group is
    joined, nobody's offsets move, and the end is fixed at the start. The same command goes on with a
    replay that was interrupted (`session-relay replays cancel ID` lets it begin anew); one to a topic may
    then send some records twice.

    Example: session-relay replay --from 2h --source garmin --topic lab.events --execute
    """
    order = Order(
        target=topic,
        first=first,
        last=last,
        user=user,
        source=source,
        type=kind,
        renormalise=renormalise,
        archive=archive,
    )
    of_swap = swap or allow_fewer or allow_older
    _check(order, rebuild=rebuild, only_rebuild=of_swap or processes > 1 or part is not None)
    of_parts = [
        *(["--renormalise"] if renormalise else []),
        *(["--from-archive", archive] if archive else []),
    ]
    allowed = allow_fewer, allow_older
    wanted = Wanted(execute, as_json, rate, examples, show_values, swap, *allowed, processes, of_parts)
    _run(order, wanted, None if part is None else Part.told(part))


def _check(order: Order, *, rebuild: bool, only_rebuild: bool) -> None:
    """Refuse what makes no sense."""
    if rebuild == bool(order.target):
        raise SettingsError("say where to: --topic NAME or --rebuild")
    if rebuild:
        if any(told is not None for told in (order.first, order.last, order.user, order.source, order.type)):
            raise SettingsError("--rebuild folds all of the log: no --from, --to, --user, --source, --type")
    elif only_rebuild or order.renormalise:
        names = "--swap, --allow-fewer, --allow-older, --processes and --renormalise"
        raise SettingsError(f"{names} are for --rebuild")


def _run(order: Order, wanted: Wanted, part: Part | None) -> None:
    settings = load("sink")
    if order.target in {settings.kafka.events_topic, settings.kafka.dead_letters_topic}:
        raise SettingsError(f"--topic can't be {order.target}: sinks read it")
    with connect(database_url(settings.db)) as connection, ExitStack() as stack:
        require_current(connection, migrations())
        foreign = foreign_schemas(settings.schema_registry, stack)
        if wanted.execute and part is None:
            stack.enter_context(Replays(connection).only_one(order))
        origin = _origin(settings, order)
        if part is not None:
            logs.configure(settings.app, "replay")  # to standard error: the other is for its parent
            rebuilding = rebuild_of(settings, connection, origin, order, foreign)
            fold_part(rebuilding, part, wanted.rate, typer.echo)
        elif order.kind == "rebuild":
            rebuild_table(settings, connection, origin, order, wanted, foreign)
        else:
            replay_to_topic(settings, connection, origin, order, wanted, foreign)


def _origin(settings: Settings, order: Order) -> Origin:
    if order.archive is None:
        return LogOrigin(settings.kafka, settings.kafka.events_topic)
    from consumers.archive.origin import ArchiveOrigin  # noqa: PLC0415 - fsspec, for the few that want it

    origin = ArchiveOrigin(settings.kafka, order.archive)
    if order.target == origin.held.topic:
        raise SettingsError(f"--topic can't be {order.target}: the archive is of it")
    if order.kind == "rebuild" and origin.held.topic != settings.kafka.events_topic:
        raise SettingsError(
            f"that archive is of {origin.held.topic}, and sinks read {settings.kafka.events_topic}"
        )
    return origin
