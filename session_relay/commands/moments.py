"""Times as operators type them."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from config.errors import SettingsError

_AGO: Final = re.compile(r"(\d{1,6})([smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def moment(option: str, told: str) -> datetime:
    """Read `2h` for two hours ago, or an RFC 3339 time; one without an offset is UTC.

    Raises:
        SettingsError: It is neither; the message names the option.
    """
    try:
        if match := _AGO.fullmatch(told):
            return datetime.now(UTC) - timedelta(**{_UNITS[match[2]]: int(match[1])})
        time = datetime.fromisoformat(told)
    except (ValueError, OverflowError):
        wanted = "`2h`, `30m`, `7d` or a time such as 2026-11-21T08:00:00Z"
        raise SettingsError(f"{option} is {wanted}, not {told!r}") from None
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)
