"""One entry of `sources`: who may send, how that is proven, and whose data it is."""

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator
from pydantic.types import StringConstraints

from config.json_text import json_text
from config.sections import Section

DEFAULT_HEADERS: Final = {"api_key": "x-api-key", "hmac_sha256": "x-signature"}
MIN_SECRET_CHARS: Final = 16
"""The least that production takes for a key; RFC 2104 advises against short ones."""
MIN_DISTINCT_CHARS: Final = 5
_GUESSABLE: Final = re.compile(
    r"change.?me|your.?(secret|key)|example|^((secret|password|default)[-_]?)+$", re.IGNORECASE
)
_SOURCE_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}\Z")
URL_PARAMETER: Final = "?"
"""Begins the last step of a path in `redact` that leads to a parameter of a URL."""
_PATH: Final = re.compile(r"[^.?*\s][^.?*]{0,254}|\*")
_PARAMETER: Final = re.compile(r"\?[A-Za-z0-9._~-]{1,64}")
_HEADER: Final = re.compile(r"^[a-z0-9!#$%&'*+.^_`|~-]+$")
"""A token of RFC 9110, section 5.6.2, in lower case."""


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


class Scheme(Section):
    """One proof that a delivery must bring."""

    scheme: Literal["api_key", "hmac_sha256", "none"] = Field(
        description="`api_key`, `hmac_sha256` (hex, of the raw body) or `none` (not in production)."
    )
    secrets: Annotated[list[SecretStr], _JSON] = Field(
        default=[], description="Keys that pass, several while one replaces another."
    )
    header: str | None = Field(
        default=None, description="Header that carries it: `x-api-key`, `x-signature`."
    )

    @field_validator("secrets")
    @classmethod
    def _present(cls, secrets: list[SecretStr], info: ValidationInfo) -> list[SecretStr]:
        needed = info.data.get("scheme", "none") != "none"
        if needed and not secrets:
            raise ValueError("needs at least one secret")
        if not all(secret.get_secret_value().strip() for secret in secrets):
            raise ValueError("a secret must not be empty")
        return secrets

    @field_validator("header")
    @classmethod
    def _lower(cls, header: str | None, info: ValidationInfo) -> str | None:
        if header is None:
            return DEFAULT_HEADERS.get(info.data.get("scheme", "none"))
        if not _HEADER.match(header.lower()):
            raise ValueError("must be the name of an HTTP header")
        return header.lower()


class Source(Section):
    """Where deliveries come from; its name in `sources` is the last part of its URL."""

    vendor: Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_known)] = Field(
        description="Whose payloads these are; `session-relay vendors` lists them."
    )
    tenant: TenantName = Field(default="default", description="Whose data it is.")
    schemes: Annotated[list[Scheme], _JSON, Field(min_length=1)] = Field(
        description="Proofs that a delivery must bring; every one of them must pass."
    )
    verification_tokens: Annotated[list[SecretStr], _JSON] = Field(
        default=[], description="Tokens that pass in a vendor's challenge of the address, as Oura's."
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
        for scheme in source.schemes:
            if scheme.scheme == "none":
                problems.append(f"{name}: scheme none lets anybody in, production refuses it")
            elif any(map(_weak, scheme.secrets)):
                problems.append(
                    f"{name}: a secret of scheme {scheme.scheme} must have at least {MIN_SECRET_CHARS} "
                    "characters and not be a well-known one in production"
                )
        if any(map(_weak, source.verification_tokens)):
            problems.append(
                f"{name}: a verification token must have at least {MIN_SECRET_CHARS} characters and not be "
                "a well-known one in production"
            )
    return problems


def _weak(secret: SecretStr) -> bool:
    value = secret.get_secret_value()
    return (
        len(value) < MIN_SECRET_CHARS
        or len(set(value)) < MIN_DISTINCT_CHARS
        or bool(_GUESSABLE.search(value))
    )
