"""Whose address a request counts for: the connection's, or what a trusted proxy says of it."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, NamedTuple

from producers.delivery import Headers

_REMEMBERED: Final = 16_384
_MAX_HOPS: Final = 32
_LONGEST: Final = 64
"""Characters of an address with its zone and port; more is none, and is not to be remembered."""
_NETWORK_BITS: Final = 64
"""Of IPv6, the part that a host does not choose for itself (RFC 4291, section 2.5.1)."""


class _Place(NamedTuple):
    """An address as it counts."""

    key: str
    trusted: bool


class ClientAddress:
    """Reads the client's address.

    `X-Forwarded-For` is believed from trusted proxies alone, and from right to left: each trusted proxy
    vouches for the entry before it; the first that is not trusted is the client. What stands further left
    anybody can have written. At an entry that is no address the last proxy counts as the client.

    Args:
        trusted: The proxies' networks.
    """

    def __init__(self, trusted: Sequence[IPv4Network | IPv6Network]) -> None:
        self._trusted = tuple(trusted)
        self._place = lru_cache(maxsize=_REMEMBERED)(self._read)

    def of(self, peer: str, headers: Headers) -> str:
        """The key of a request's client: an IPv4 address, or the /64 of an IPv6 one.

        Args:
            peer: The other end of the connection, `address:port`, IPv6 in brackets.
            headers: As they were sent.
        """
        place = self._place(peer.rpartition(":")[0])
        if place is None:
            return "unknown"  # a Unix socket: all of it together
        if not place.trusted:
            return place.key
        for entry in reversed(",".join(headers.get_all("x-forwarded-for")).rsplit(",", _MAX_HOPS)):
            text = entry.strip(" \t")
            further = self._place(text) if len(text) <= _LONGEST else None
            if further is None:
                break
            place = further
            if not place.trusted:
                break
        return place.key

    def _read(self, text: str) -> _Place | None:
        address = _address(text)
        if address is None:
            return None
        trusted = any(address in network for network in self._trusted)
        if isinstance(address, IPv4Address):
            return _Place(str(address), trusted)
        network = int(address) >> _NETWORK_BITS << _NETWORK_BITS
        return _Place(f"{IPv6Address(network)}/{_NETWORK_BITS}", trusted)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """An address with or without a port, as proxies write it; IPv4 in IPv6's clothes is IPv4."""
    if text.startswith("["):
        text, _, _ = text[1:].partition("]")
    elif text.count(":") == 1:
        text, _, _ = text.partition(":")
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
