"""One entry of `sources`: who may send, how that is proven, and whose data it is."""

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field
from pydantic.types import StringConstraints

from config.json_text import json_text
from config.sections import Section
from config.webhook_schemes import AnyScheme, NoScheme

MIN_DISTINCT_BYTES: Final = 5
_GUESSABLE: Final = re.compile(
    rb"change.?me|your.?(secret|key|token)|example|^((secret|password|default|token)[-_]?)+$", re.IGNORECASE
)
_SOURCE_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}\Z")


def _printable(name: str) -> str:
    if not name.isprintable():
        raise ValueError("must be printable characters only")
    return name


TenantName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64), AfterValidator(_printable)
]
"""As long as an event's tenant may be: it is part of every key."""
_JSON: Final = json_text("must be JSON")


class Source(Section):
    """Where deliveries come from; its name in `sources` is the last part of its URL."""

    vendor: Literal["asleep", "generic"] = Field(description="Whose payloads these are.")
    tenant: TenantName = Field(default="default", description="Whose data it is.")
    schemes: Annotated[list[AnyScheme], _JSON, Field(min_length=1)] = Field(
        description="Proofs that a delivery must bring; every one of them must pass."
    )


def _checked_name(name: str) -> str:
    # it becomes part of a URL, a CloudEvents source and a metric's label
    if not _SOURCE_NAME.match(name):
        raise ValueError("a source's name must be 1 to 64 of a-z, 0-9, - and _")
    return name


SourceName = Annotated[str, AfterValidator(_checked_name)]
Sources = Annotated[dict[SourceName, Source], _JSON]


def unsafe_in_production(sources: dict[str, Source]) -> list[str]:
    """What production refuses, a sentence each, without a secret's value."""
    problems = []
    for name, source in sources.items():
        for number, scheme in enumerate(source.schemes):
            place = f"{name}.schemes.{number}"
            if isinstance(scheme, NoScheme):
                problems.append(f"{place}: scheme none lets anybody in, production refuses it")
            elif any(_weak(text, scheme.min_secret_bytes) for text in scheme.strengths()):
                problems.append(
                    f"{place}.secrets: each secret of scheme {scheme.scheme} must have at least "
                    f"{scheme.min_secret_bytes} bytes and not be a well-known one in production"
                )
    return problems


def _weak(text: bytes, least_bytes: int) -> bool:
    return (
        len(text) < least_bytes or len(set(text)) < MIN_DISTINCT_BYTES or _GUESSABLE.search(text) is not None
    )
