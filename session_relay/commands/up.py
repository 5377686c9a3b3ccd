"""`session-relay up`: everything at once, on embedded services."""

from pathlib import Path
from typing import Annotated

import typer

from config.embedded.services import default_state_dir
from config.errors import ExitCode, RelayError
from session_relay.simulate.sender import Manner
from session_relay.up import demo
from session_relay.up.rounds import Traffic


class _Usage(RelayError):
    exit_code = ExitCode.USAGE


def command(  # noqa: PLR0913 - each is one option of the command
    *,
    once: Annotated[
        bool, typer.Option("--once", help="End after the first round, with its verdict.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --once: the last line on standard output is one JSON object.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the nights and of what goes wrong.")] = 1,
    count: Annotated[int, typer.Option(min=1, help="Deliveries of the first round.")] = 2500,
    nights: Annotated[
        Path | None, typer.Option(help="Send these nights (one JSON object a line) instead of the model's.")
    ] = None,
    state_dir: Annotated[
        Path | None, typer.Option(help="Data, logs and ports. Default: SESSION_RELAY_HOME or .session-relay.")
    ] = None,
    brokers: Annotated[int | None, typer.Option(help="Kafka brokers: 1 or 3.")] = None,
    connections: Annotated[int, typer.Option(min=1, help="Deliveries under way at once.")] = 32,
    rate: Annotated[
        float | None,
        typer.Option(min=0.1, help="Deliveries a second. Default: as fast as they are answered."),
    ] = None,
    traffic: Annotated[bool, typer.Option(help="Whether anything is sent.")] = True,
) -> None:
    """Start real Kafka, Postgres and Redis, the relay and the sink, and send nights through them.

    A table shows what is sent, acknowledged and stored. After each round the table `sessions` is compared
    with the sender's own ledger, field by field. Without --once traffic then goes on slowly until Ctrl-C.
    With --once it exits, with 0 only if every acknowledged event is stored exactly as expected.
    """
    if once and not traffic:
        raise _Usage("--once needs traffic: leave --no-traffic out")
    if as_json and not once:
        raise _Usage("--json belongs to --once")
    sent = Traffic(seed=seed, count=count, nights=nights, manner=Manner(connections=connections, rate=rate))
    if nights is not None:
        next(sent.source(0))  # a file that can't be used is told before anything is started
    options = demo.Options(
        once=once,
        as_json=as_json,
        traffic=sent if traffic else None,
        state_dir=state_dir or default_state_dir(),
        brokers=brokers,
    )
    raise typer.Exit(int(demo.run(options)))
