"""Rates as people write them, `100/minute`, and networks as `10.0.0.0/8`."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Final, NamedTuple

from pydantic import AfterValidator, BeforeValidator

_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}
_RATE: Final = re.compile(r"([1-9][0-9]{0,8})/(second|minute|hour|day)")
UNLIMITED: Final = "off"
"""What a source says that is not to be limited where all others are."""


class Rate(NamedTuple):
    """So many requests in any window of so many seconds."""

    requests: int
    window_s: int

    @classmethod
    def of(cls, text: str) -> "Rate":
        """Read `100/minute`.

        Raises:
            ValueError: It is written in another way.
        """
        if (found := _RATE.fullmatch(text)) is None:
            raise ValueError("must be a rate such as 100/minute: a count, /, and second, minute, hour or day")
        return cls(int(found[1]), _SECONDS[found[2]])


def _checked(text: str) -> str:
    Rate.of(text)
    return text


def _checked_or_off(text: str) -> str:
    return text if text == UNLIMITED else _checked(text)


def _networks(given: object) -> object:
    parts = given.split(",") if isinstance(given, str) else given
    return [_network(part) for part in parts] if isinstance(parts, list | tuple) else parts


def _network(text: object) -> IPv4Network | IPv6Network:
    try:
        network = ip_network(str(text).strip())
    except ValueError:
        raise ValueError("must be networks such as 10.0.0.0/8, fd00::/8 or 192.0.2.7") from None
    if network.prefixlen == 0:
        raise ValueError("must not be every address there is: each could say that it is another")
    return network


RateText = Annotated[str, AfterValidator(_checked)]
RateTextOrOff = Annotated[str, AfterValidator(_checked_or_off)]
Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], BeforeValidator(_networks)]
"""As a list, or comma separated in one text."""
