"""Error lines of the log, sent to Sentry too: off unless `SENTRY_DSN` is set, and then nothing is imported.

What is sent is the line as the log has it, after secrets and personal data were taken out: its name, its
fields, its traceback without values. There is no second way by which a body or a header could leave.
"""

import atexit
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Final

from structlog.typing import Processor

from config.errors import SettingsError
from config.sections import AppSettings

_WITHIN_S: Final = 2.0
"""Of a process' end, for what is not sent yet."""
_SENT: Final = {"error": "error", "critical": "fatal"}
"""Our levels of what is sent, and Sentry's."""
_APART: Final = frozenset({"event", "level", "timestamp", "role"})


def reporter(app: AppSettings, role: str) -> Processor | None:
    """A step after redaction that sends what is an error; None where there is nobody to send it to.

    Raises:
        SettingsError: The address is none, or the extra `sentry` is not installed.
    """
    if app.sentry_dsn is None:
        return None
    try:
        from sentry_sdk import Client  # noqa: PLC0415 - an extra: who has no use for it does without
        from sentry_sdk.utils import BadDsn  # noqa: PLC0415 - likewise
    except ImportError as error:
        raise SettingsError(
            "SENTRY_DSN: needs the extra `sentry`: pip install 'session-relay[sentry]'"
        ) from error
    try:
        client = Client(
            dsn=app.sentry_dsn.get_secret_value(),
            environment=app.environment,
            release=version("session-relay"),
            server_name="session-relay",  # else the machine's own name
            default_integrations=False,  # they listen to libraries, and quote what they hear
            auto_enabling_integrations=False,
            include_local_variables=False,
            max_breadcrumbs=0,
            auto_session_tracking=False,
            send_client_reports=False,
            shutdown_timeout=_WITHIN_S,
        )
    except (BadDsn, ValueError):
        # `from None`: the library's message quotes the address, which is a secret
        raise SettingsError("SENTRY_DSN: must be a URL such as https://key@host/1") from None
    atexit.register(client.close, _WITHIN_S)

    def report(_logger: Any, _method: str, line: Mapping[str, Any]) -> Mapping[str, Any]:
        if line.get("level") in _SENT:
            client.capture_event(_event(line, role))
        return line

    return report


def _event(line: Mapping[str, Any], role: str) -> Any:
    name = str(line.get("event"))
    return {
        "message": name,
        "level": _SENT[line["level"]],
        "timestamp": line.get("timestamp"),
        "fingerprint": [role, name],
        "tags": {"role": role},
        "extra": {field: value for field, value in line.items() if field not in _APART},
    }
