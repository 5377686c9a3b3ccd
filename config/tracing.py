"""Whether spans are told to anybody: off unless `APP__TRACES` is set, and then nothing is imported."""

from typing import TYPE_CHECKING

from config.errors import SettingsError
from config.sections import AppSettings

if TYPE_CHECKING:
    from config.spans import Spans


def spans_of(app: AppSettings, role: str) -> "Spans | None":
    """Where a role's spans go; None where they are off.

    Args:
        app: The switch; all else is told by OpenTelemetry's own `OTEL_*` variables.
        role: What this process is.

    Raises:
        SettingsError: They are wanted, and the extra `otel` is not installed.
    """
    if not app.traces:
        return None
    try:
        from config.spans import Spans  # noqa: PLC0415 - an extra: who has no use for it does without
    except ImportError as error:
        raise SettingsError(
            "APP__TRACES: needs the extra `otel`: pip install 'session-relay[otel]'"
        ) from error
    return Spans(role)
