"""Where services are: connection strings checked by the libraries that will use them.

Such strings may hold passwords, so they are `SecretStr` and no message repeats them.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr

from config.errors import SettingsError

PARTS: Final = {"host": "host", "port": "port", "name": "dbname", "user": "user", "password": "password"}
"""Our setting's name of each part of a connection string, and libpq's."""
SECRET_PARTS: Final = frozenset(
    {"password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key"}
)
"""What of a connection string is never shown. Source: libpq's parameters, PostgreSQL 18 manual, 32.1.2."""
_MEANT: Final = ("read-write", "primary", "any")
"""Of `target_session_attrs`; the others look for a server that can't be written to."""
_LAST_PORT: Final = 65_535
_REDIS_SCHEMES: Final = ("redis://", "rediss://", "unix://")


def _checked_database(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if text.startswith("postgresql+"):
        raise ValueError("the scheme must be postgresql://, without a driver's name")
    try:
        parts = _parts_of(text)
    except ValueError:
        raise ValueError(
            "must be a URL such as postgresql://user@host:5432/name, or a libpq connection string"
        ) from None
    if problem := _problem_of_hosts(parts):
        raise ValueError(problem)
    return value


def _parts_of(text: str) -> dict[str, str]:
    """What libpq reads in a connection string; raises ValueError where it can't."""
    from psycopg import ProgrammingError  # noqa: PLC0415 - a sixth of the start of a role without a database
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415 - likewise

    try:
        return {name: str(part) for name, part in conninfo_to_dict(text).items()}
    except ProgrammingError:
        # `from None`: the library's message quotes the string, and with it perhaps the password
        raise ValueError("libpq can't read it") from None


def _problem_of_hosts(parts: Mapping[str, str]) -> str | None:
    """What libpq would only find when it connects; several hosts are tried in their order.

    Source: PostgreSQL 18 manual, 32.1.1.3 and `target_session_attrs` in 32.1.2.
    """
    hosts, ports = (parts.get(name, "").split(",") for name in ("host", "port"))
    addresses = parts.get("hostaddr", "").split(",")
    count = max(len(hosts), len(addresses))
    if not all(port == "" or (port.isdecimal() and 0 < int(port) <= _LAST_PORT) for port in ports):
        return "has a port that is none; several hosts are written user@host:5432,other:5432"
    if len(ports) not in {1, count} or (len(hosts) > 1 and len(addresses) not in {1, count}):
        return "must have as many ports as hosts, or one for all"
    meant = parts.get("target_session_attrs")
    if meant is None and count > 1:
        return "names several hosts, so it must say which one is meant: add target_session_attrs=read-write"
    if meant is not None and meant not in _MEANT:
        return f"target_session_attrs must be one of {', '.join(_MEANT)}: it is written to"
    return None


def _checked_redis(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    try:
        if text.startswith(_REDIS_SCHEMES) and not (parts := urlsplit(text)).query:
            _ = parts.port  # all that the library itself would find wrong with it
        else:
            _ask_redis(text)
    except ValueError:
        raise ValueError("must be a URL such as redis://host:6379/0, rediss://… or unix://…") from None
    return value


def _ask_redis(text: str) -> None:
    from redis.connection import parse_url  # noqa: PLC0415 - a fifth of the start of a role that has no use for it

    parse_url(text)  # type: ignore[no-untyped-call]  # redis-py has no type here


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


def web_address(option: str, text: str) -> str:
    """The address that an option of a command gives.

    Raises:
        SettingsError: It is none.
    """
    try:
        return _checked_web(text)
    except ValueError as error:
        raise SettingsError(f"{option} {error}") from None


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
    if not parts:
        return given
    url = given.get("url") or ""
    text = url.get_secret_value() if isinstance(url, SecretStr) else str(url)
    from psycopg import ProgrammingError  # noqa: PLC0415 - as above
    from psycopg.conninfo import make_conninfo  # noqa: PLC0415 - likewise

    try:
        told = _parts_of(text)
        missing = {name: value for name, value in parts.items() if name not in told}
        return {**given, "url": make_conninfo(text, **missing)} if missing else given
    except (ProgrammingError, ValueError):
        return given
