"""One entry of `sources`: who may send, how that is proven, and whose data it is."""

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Annotated, Final

from pydantic import AfterValidator, Field, SecretStr, field_validator
from pydantic.types import StringConstraints

from config.json_text import json_text
from config.rates import RateTextOrOff
from config.sections import Section
from config.webhook_schemes import AnyScheme, NoScheme

MIN_DISTINCT_BYTES: Final = 5
MIN_TOKEN_BYTES: Final = 16
_GUESSABLE: Final = re.compile(
    rb"change.?me|your.?(secret|key|token)|example|^((secret|password|default|token)[-_]?)+$", re.IGNORECASE
)
_SOURCE_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}\Z")
URL_PARAMETER: Final = "?"
"""Begins the last step of a path in `redact` that leads to a parameter of a URL."""
_PATH: Final = re.compile(r"[^.?*\s][^.?*]{0,254}|\*")
_PARAMETER: Final = re.compile(r"\?[A-Za-z0-9._~-]{1,64}")


def _printable(name: str) -> str:
    if not name.isprintable():
        raise ValueError("must be printable characters only")
    return name


def _checked_path(path: str) -> str:
    *steps, last = path.split(".")
    if last.startswith(URL_PARAMETER) and steps:
        good = _PARAMETER.fullmatch(last) is not None
    else:
        steps, good = [*steps, last], True
    if not good or not all(map(_PATH.fullmatch, steps)):
        raise ValueError("a path is names joined by dots, `*` for any name, `?name` at the end for a URL's")
    return path


_vendors: Final[ContextVar[Collection[str] | None]] = ContextVar("vendors", default=None)


@contextmanager
def vendors_known(names: Collection[str] | None) -> Iterator[None]:
    """Refuse other vendors than these while settings are read; None takes any.

    What vendors there are is the business of the room that reads their payloads, which this one can't ask.
    """
    token = _vendors.set(names)
    try:
        yield
    finally:
        _vendors.reset(token)


def _known(vendor: str) -> str:
    names = _vendors.get()
    if names is not None and vendor not in names:
        *others, last = [f"'{name}'" for name in sorted(names)]
        raise ValueError(f"should be {' or '.join([', '.join(others), last] if others else [last])}")
    return vendor


TenantName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64), AfterValidator(_printable)
]
"""As long as an event's tenant may be: it is part of every key."""
_JSON: Final = json_text("must be JSON")


class Source(Section):
    """Where deliveries come from; its name in `sources` is the last part of its URL."""

    vendor: Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_known)] = Field(
        description="Whose payloads these are; `session-relay vendors` lists them."
    )
    tenant: TenantName = Field(default="default", description="Whose data it is.")
    schemes: Annotated[list[AnyScheme], _JSON, Field(min_length=1)] = Field(
        description="Proofs that a delivery must bring; every one of them must pass."
    )
    verification_tokens: Annotated[list[SecretStr], _JSON] = Field(
        default=[], description="Tokens that pass in a vendor's challenge of the address, as Oura's."
    )
    limit: RateTextOrOff | None = Field(
        default=None, description="Requests of this source, such as `100/minute`, or `off`."
    )
    redact: Annotated[list[Annotated[str, AfterValidator(_checked_path)]], _JSON] = Field(
        default=[], description="Paths that are taken out of each delivery before anything is kept of it."
    )

    @field_validator("verification_tokens")
    @classmethod
    def _no_empty_token(cls, tokens: list[SecretStr]) -> list[SecretStr]:
        if not all(token.get_secret_value().strip() for token in tokens):
            raise ValueError("a token must not be empty")
        return tokens


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
        tokens = [token.get_secret_value().encode() for token in source.verification_tokens]
        if any(_weak(token, MIN_TOKEN_BYTES) for token in tokens):
            problems.append(
                f"{name}: a verification token must have at least {MIN_TOKEN_BYTES} bytes and not be "
                "a well-known one in production"
            )
    return problems


def _weak(text: bytes, least_bytes: int) -> bool:
    return (
        len(text) < least_bytes or len(set(text)) < MIN_DISTINCT_BYTES or _GUESSABLE.search(text) is not None
    )
