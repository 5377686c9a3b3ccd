"""What never reaches a log line: secrets, and what tells of a person.

One processor for every line, ours and the libraries'. Fields are known by their names, so a secret or a
person's data belongs in a field, never in the middle of a sentence; of sentences only connection
strings' passwords, tokens and the rows that Postgres quotes are taken out.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

REDACTED: Final = "[redacted]"
MAX_DEPTH: Final = 8
"""Levels of nesting that are looked through; what lies deeper is left out whole."""

_SENSITIVE: Final = re.compile(
    r"(?:.*_)?(?:secrets?|tokens?|passw(?:or)?d|passphrase|pwd|api_?key|private_key|authori[sz]ation|credentials?"
    r"|cookies?|signatures?|dsn|conninfo|database_url|redis_url|user|user_ids?|session_ids?|email|headers"
    r"|body|raw|payload|record|record_key|key)"
    r"|sasl_.*|ssl_key_.*|db_url|url_with_.*"
)
"""Names of fields, lower case with underscores, whose values are never shown."""
_URL_PASSWORD: Final = re.compile(r"([a-z][a-z0-9+.-]{0,30}://[^\s:/@]*:)\S+@", re.IGNORECASE)
_NAMED_PASSWORD: Final = re.compile(r"\b(password\s*=\s*)('(?:[^'\\]|\\.)*'|\S+)", re.IGNORECASE)
_BEARER: Final = re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
_ENDS_A_ROW: Final = r"[A-Z][A-Z ]+:|[\w.]{1,99}(?:Error|Violation): |\+-|Traceback|File |During |The above "
_QUOTED_ROWS: Final = re.compile(
    r"^([ \t|]*(?:DETAIL|CONTEXT|LINE \d+|Failing row[^:\n]*):)"
    rf".*(?:\n(?![ \t|]*(?:{_ENDS_A_ROW})).*)*$",
    re.MULTILINE,
)
"""PostgreSQL's messages quote a row's values below the error itself (manual, section 54.8).

A value may have lines of its own: what follows is taken for one of them up to the message's next field, or to
what a traceback goes on with, in a group behind bars.
"""


def redact(_logger: Any, _method: str, event: Mapping[str, Any]) -> dict[str, Any]:
    """Structlog processor: the line without secrets and without a person's data."""
    return {name: _field(name, value, MAX_DEPTH) for name, value in event.items()}


def redact_text(text: str) -> str:
    """A sentence without passwords, tokens and quoted rows."""
    text = _URL_PASSWORD.sub(rf"\1{REDACTED}@", text)
    text = _NAMED_PASSWORD.sub(rf"\1{REDACTED}", text)
    text = _BEARER.sub(rf"\1 {REDACTED}", text)
    return _QUOTED_ROWS.sub(rf"\1 {REDACTED}", text)


def is_sensitive(name: str) -> bool:
    """Whether a field of this name, in any spelling (`x-api-key`, `userId`), is never shown."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return _SENSITIVE.fullmatch(re.sub(r"[^a-z0-9]+", "_", snake)) is not None


def _field(name: object, value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    return REDACTED if is_sensitive(str(name)) else _value(value, depth)


def _value(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"[{len(value)} bytes]"
    if isinstance(value, BaseException):
        return redact_text(f"{type(value).__name__}: {value}")
    if isinstance(value, Mapping):
        return {str(k): _field(k, v, depth - 1) for k, v in value.items()} if depth else REDACTED
    if isinstance(value, Sequence | set | frozenset):
        return [_value(item, depth - 1) for item in value] if depth else REDACTED
    return value if isinstance(value, int | float) else redact_text(str(value))
