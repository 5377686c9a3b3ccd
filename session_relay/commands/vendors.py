"""`session-relay vendors`: whose payloads can be read, and what they say."""

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from producers.sources import VENDORS
from producers.sources.vendor import Vendor


def command(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object of vendors by name.")] = False,
) -> None:
    """List the vendors that a source can name, and what each of them sends.

    Of each: the types of its events with the one field that says when they occurred, how its deliveries
    usually prove where they come from, whether it asks with GET if an address is right, what is never kept.
    """
    told = {name: _told(vendor) for name, vendor in VENDORS.items()}
    if as_json:
        typer.echo(json.dumps(told, ensure_ascii=False))
        return
    console = Console(highlight=False, soft_wrap=True)
    for name, vendor in told.items():
        console.print(f"[bold]{name}[/]  {escape(vendor['about'])}")
        width = max(map(len, vendor["events"]))
        for kind, field in vendor["events"].items():
            console.print(f"  {kind:<{width}}  occurred_at: {escape(field)}")
        console.print(f"  proof: {escape(vendor['schemes'])}")
        if vendor["challenge"]:
            console.print("  challenge: GET, with one of the source's verification_tokens")
        if vendor["several"]:
            console.print("  a delivery may carry several events")
        if vendor["redact"]:
            console.print(f"  never kept: {escape(', '.join(vendor['redact']))}")
        console.print()


def _told(vendor: Vendor) -> dict[str, Any]:
    return {
        "about": vendor.about,
        "events": {kind.value: field for kind, field in vendor.occurred_at.items()},
        "schemes": vendor.schemes,
        "challenge": vendor.challenge is not None,
        "several": vendor.split is not None,
        "redact": list(vendor.redact),
    }
