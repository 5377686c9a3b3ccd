"""Whose address a request counts for, whatever it claims."""

import tracemalloc
from ipaddress import ip_network

import pytest

from producers.limits.client import ClientAddress
from tests.deliveries import Sent

PROXY = "10.0.0.1:40000"


def client(peer: str, *forwarded: str, trusted: str = "10.0.0.0/8,fd00::/8") -> str:
    networks = [ip_network(one) for one in trusted.split(",") if one]
    return ClientAddress(networks).of(peer, Sent(*(("x-forwarded-for", one) for one in forwarded)))


@pytest.mark.parametrize("forwarded", [(), ("203.0.113.9",), ("10.0.0.2",)])
def test_nobody_is_believed_by_default(forwarded: tuple[str, ...]) -> None:
    assert client("198.51.100.7:1234", *forwarded, trusted="") == "198.51.100.7"


def test_a_stranger_is_not_believed() -> None:
    assert client("198.51.100.7:1234", "203.0.113.9") == "198.51.100.7"


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        (["203.0.113.9"], "203.0.113.9"),
        (["203.0.113.9, 10.0.0.2"], "203.0.113.9"),
        (["1.1.1.1, 203.0.113.9"], "203.0.113.9"),  # the client wrote the first itself
        (["1.1.1.1", "203.0.113.9"], "203.0.113.9"),  # in a header of its own
        (["1.1.1.1, 10.0.0.9, 203.0.113.9, 10.0.0.2"], "203.0.113.9"),
        (["10.0.0.3, 10.0.0.2"], "10.0.0.3"),  # all of them ours
        (["203.0.113.9:5678"], "203.0.113.9"),
        (["203.0.113.9\t,10.0.0.2 "], "203.0.113.9"),
        (["::ffff:203.0.113.9"], "203.0.113.9"),
        (["[2001:db8:1:2:3:4:5:6]:443"], "2001:db8:1:2::/64"),
        (["fd00::2, 10.0.0.2"], "fd00::/64"),
    ],
)
def test_a_trusted_proxy_is_believed_from_right_to_left(forwarded: list[str], expected: str) -> None:
    assert client(PROXY, *forwarded) == expected


@pytest.mark.parametrize(
    "entry",
    ["", "unknown", "_hidden", "1.2.3", "1.2.3.4.5", "203.0.113.9 x", "[", "a:b:c", "1" * 5_000, "٣.1.1.1"],
)
def test_at_what_is_no_address_the_last_proxy_counts(entry: str) -> None:
    assert client(PROXY, f"203.0.113.9, {entry}, 10.0.0.2") == "10.0.0.2"
    assert client(PROXY, entry) == "10.0.0.1"


def test_what_is_no_address_is_not_remembered() -> None:
    """A client may send 64 KiB of it each time."""
    made = ClientAddress([ip_network("10.0.0.0/8")])
    tracemalloc.start()
    try:
        for number in range(200):
            assert made.of(PROXY, Sent(("x-forwarded-for", f"{number}" * 2_000))) == "10.0.0.1"
        size_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size_bytes < 100_000


def test_a_chain_without_end_is_cut() -> None:
    assert client(PROXY, ", ".join(["203.0.113.9", *["10.0.0.2"] * 5_000])) == "10.0.0.2"


def test_a_network_of_ipv6_counts_as_one() -> None:
    keys = {client(f"[2001:db8:1:2::{number:x}]:1234") for number in range(50)}
    assert keys == {"2001:db8:1:2::/64"}
    assert client("[2001:db8:1:3::1]:1234") != keys.pop()
    assert client("[fe80::1%a]:1234") == client("[fe80::2%b]:1234")


def test_ipv4_by_ipv6_is_ipv4() -> None:
    assert client("[::ffff:198.51.100.7]:1234") == "198.51.100.7"
    assert client("[::ffff:10.0.0.1]:1234", "203.0.113.9") == "203.0.113.9"


def test_without_an_address_all_count_together() -> None:
    assert client("unix:") == "unknown"
