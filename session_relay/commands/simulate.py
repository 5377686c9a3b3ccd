"""`session-relay simulate`: realistic nights for a relay that runs somewhere."""

import json
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from config.addresses import web_address
from config.errors import ExitCode, RelayError
from config.settings import load
from session_relay.simulate import standalone
from session_relay.simulate.compare import Comparison
from session_relay.simulate.facts import ASLEEP, GENERIC
from session_relay.simulate.ledger import Ledger
from session_relay.simulate.sender import Credentials, Manner, Tally


class _Usage(RelayError):
    exit_code = ExitCode.USAGE


def command(  # noqa: PLR0913 - each is one option of the command
    *,
    url: Annotated[str, typer.Option(help="The relay's public address.")] = "http://127.0.0.1:8080",
    count: Annotated[int, typer.Option(min=1, help="Deliveries to send.")] = 2000,
    seed: Annotated[int, typer.Option(help="Of the nights and of what goes wrong.")] = 1,
    nights: Annotated[
        Path | None, typer.Option(help="Send these nights (one JSON object a line) instead of the model's.")
    ] = None,
    connections: Annotated[int, typer.Option(min=1, help="Deliveries under way at once.")] = 32,
    rate: Annotated[
        float | None,
        typer.Option(min=0.1, help="Deliveries a second. Default: as fast as they are answered."),
    ] = None,
    patience_s: Annotated[float, typer.Option(min=0, help="Seconds to go on trying one delivery.")] = 120.0,
    asleep_api_key: Annotated[
        str | None,
        typer.Option(envvar="ASLEEP_API_KEY", help="API key of the source asleep.", show_envvar=True),
    ] = None,
    asleep_signing_key: Annotated[
        str | None, typer.Option(envvar="SIMULATE_ASLEEP_SIGNING_KEY", help="Its HMAC key, if it has one.")
    ] = None,
    generic_signing_key: Annotated[
        str | None,
        typer.Option(envvar="SIMULATE_GENERIC_SIGNING_KEY", help="HMAC key of the source generic."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Compare the table at DATABASE_URL with the sender's ledger.")
    ] = False,
    tenant: Annotated[str, typer.Option(help="Tenant of the sources, for --check.")] = "default",
    within_s: Annotated[float, typer.Option(min=0, help="Seconds the sink may take, for --check.")] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")] = False,
) -> None:
    """Send realistic nights as vendors do: signed, repeated, revised, reordered, late, in every spelling.

    The sources asleep and generic take part where their keys are given. A delivery without a good answer is
    sent again for --patience-s seconds. With --check the table `sessions` is then compared, field by
    field, with what the sender knows to be acknowledged. Exits with 0 only if all of it was acknowledged
    and, with --check, stored as expected; with 4 if nothing was answered for --patience-s seconds.
    """
    credentials = _credentials(asleep_api_key, asleep_signing_key, generic_signing_key)
    database_url = _database_url() if check else None
    order = standalone.Order(
        url=web_address("--url", url),
        credentials=credentials,
        seed=seed,
        count=count,
        manner=Manner(connections=connections, rate=rate, patience_s=patience_s),
        nights=nights,
    )
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    ledger, tally = standalone.send(order, console)
    found = standalone.check(database_url, ledger, tenant, within_s) if database_url else None
    _tell(console, ledger, tally, found)
    if as_json:
        lost = {} if found is None else {"stored": found.stored, "lost": found.lost}
        print(json.dumps({"sent": tally.sent, "acknowledged": tally.acknowledged} | lost))  # noqa: T201 - output
    good = tally.acknowledged == tally.sent and not ledger.problems and not (found and found.differences)
    raise typer.Exit(int(ExitCode.DONE if good else ExitCode.FAILED))


def _credentials(api_key: str | None, asleep: str | None, generic: str | None) -> dict[str, Credentials]:
    credentials = {}
    if api_key or asleep:
        credentials[ASLEEP] = Credentials(api_key=api_key, signing_key=asleep)
    if generic:
        credentials[GENERIC] = Credentials(signing_key=generic)
    if not credentials:
        raise _Usage("no source takes part: set ASLEEP_API_KEY or SIMULATE_GENERIC_SIGNING_KEY")
    return credentials


def _database_url() -> str:
    url = load().db.url
    if url is None:
        raise _Usage("--check needs DATABASE_URL")
    return url.get_secret_value()


def _tell(console: Console, ledger: Ledger, tally: Tally, found: Comparison | None) -> None:
    console.print(
        f"{tally.sent:,} sent, {tally.acknowledged:,} acknowledged, {tally.refused:,} refused, "
        f"{tally.unsettled:,} unsettled, {tally.retries:,} retries"
    )
    differences = [str(one) for one in found.differences] if found else ledger.problems
    for text, times in Counter(differences).most_common(20):
        console.print(f"difference: {times:,} times: {text}", markup=False)
    if found and not found.differences:
        console.print(f"{found.stored:,} rows, as the sender's ledger expects, field by field.")
