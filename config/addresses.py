"""Where services are: connection strings checked by the libraries that will use them.

Such strings may hold passwords, so they are `SecretStr` and no message repeats them.
"""

from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pydantic import AfterValidator, SecretStr
from redis.connection import parse_url

PARTS: Final = {"host": "host", "port": "port", "name": "dbname", "user": "user", "password": "password"}
"""Our setting's name of each part of a connection string, and libpq's."""


def _checked_database(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if text.startswith("postgresql+"):
        raise ValueError("the scheme must be postgresql://, without a driver's name")
    try:
        conninfo_to_dict(text)
    except (ProgrammingError, ValueError):
        # `from None`: the library's message quotes the string, and with it perhaps the password
        raise ValueError(
            "must be a URL such as postgresql://user@host:5432/name, or a libpq connection string"
        ) from None
    return value


def _checked_redis(value: SecretStr) -> SecretStr:
    try:
        parse_url(value.get_secret_value())  # type: ignore[no-untyped-call]  # redis-py has no type here
    except ValueError:
        raise ValueError("must be a URL such as redis://host:6379/0, rediss://… or unix://…") from None
    return value


def _checked_web(value: str) -> str:
    text = value.strip().rstrip("/")
    try:
        parts = urlsplit(text)
        sound = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        sound = False
    if not sound or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("must be a URL such as https://host or http://127.0.0.1:8000/path")
    if parts.username is not None or parts.query or parts.fragment or "?" in text or "#" in text:
        raise ValueError("must have no user, no query and no fragment")
    return text


WebUrl = Annotated[str, AfterValidator(_checked_web)]
"""An HTTP address that paths are appended to: without a slash at its end, and without secrets."""
ConnectionString = Annotated[SecretStr, AfterValidator(_checked_database)]
RedisUrl = Annotated[SecretStr, AfterValidator(_checked_redis)]


def with_parts(given: dict[str, Any]) -> dict[str, Any]:
    """Complete the database's `url` by the separate parts; what the URL says wins.

    A URL that needs nothing stays as it is, and one that can't be read is left for its own check to
    refuse.

    Args:
        given: The raw values of the section, as they came from the environment or a file.
    """
    parts = {
        libpq: value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for ours, libpq in PARTS.items()
        if (value := given.get(ours)) is not None
    }
    url = given.get("url") or ""
    text = url.get_secret_value() if isinstance(url, SecretStr) else str(url)
    try:
        missing = {name: value for name, value in parts.items() if name not in conninfo_to_dict(text)}
        return {**given, "url": make_conninfo(text, **missing)} if missing else given
    except (ProgrammingError, ValueError):
        return given
