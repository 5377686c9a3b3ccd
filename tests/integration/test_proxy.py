"""The proxy breaks a wire as wires break, and passes everything when it is whole."""

import gc
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import partial

import pytest

from tests.eventually import PATIENCE_S, eventually
from tests.kafka_wire import last_byte_of_a_batch
from tests.proxy import Proxy


@pytest.fixture
def heard() -> bytearray:
    """All that the server has heard."""
    return bytearray()


@pytest.fixture
def proxy(heard: bytearray) -> Iterator[Proxy]:
    """Before a server that says back what it hears."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=echo, args=(listener.accept()[0],), daemon=True).start()

    def echo(end: socket.socket) -> None:
        with suppress(OSError), end:
            while piece := end.recv(4096):
                heard.extend(piece)
                end.sendall(piece)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with Proxy(*listener.getsockname()) as made:
        yield made
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(PATIENCE_S)


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=PATIENCE_S) as end:
        end.sendall(b"hello")
        assert end.recv(10) == b"hello"
        yield end


def received(end: socket.socket) -> bytes:
    """All that comes until the other side ends it."""
    return b"".join(iter(lambda: end.recv(4096), b""))


def test_silence_keeps_connections_and_what_was_sent_arrives_afterwards(
    proxy: Proxy, client: socket.socket
) -> None:
    proxy.silence()
    client.settimeout(0.3)
    client.sendall(b"anybody?")
    with pytest.raises(TimeoutError):
        client.recv(10)
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=PATIENCE_S) as second:
        second.sendall(b"me too")
        proxy.heal()
        assert second.recv(10) == b"me too"
    client.settimeout(5)
    assert client.recv(10) == b"anybody?"


def test_who_is_muted_waits_while_others_are_heard(proxy: Proxy, client: socket.socket) -> None:
    proxy.mute()
    client.sendall(b"later")
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=PATIENCE_S) as second:
        second.sendall(b"now")
        assert second.recv(10) == b"now"
    client.settimeout(0.2)
    with pytest.raises(TimeoutError):
        client.recv(10)
    proxy.heal()
    client.settimeout(5)
    assert client.recv(10) == b"later"


def test_a_reset_is_heard_as_one_and_new_connections_are_taken(proxy: Proxy, client: socket.socket) -> None:
    proxy.reset()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=PATIENCE_S) as again:
        again.sendall(b"here")
        assert again.recv(10) == b"here"


def test_a_cut_leaves_a_part_of_the_message(proxy: Proxy, client: socket.socket) -> None:
    proxy.cut("back", after_bytes=4)
    client.sendall(b"abcdefgh")
    assert received(client) == b"abcd"
    assert proxy.is_cut


def test_a_cut_on_the_way_out_counts_bytes_over_messages(
    proxy: Proxy, client: socket.socket, heard: bytearray
) -> None:
    heard.clear()
    proxy.cut("out", after_bytes=7)
    client.sendall(b"abcde")
    assert client.recv(5) == b"abcde"
    client.sendall(b"fghij")
    received(client)
    eventually(lambda: heard == b"abcdefg")


def test_a_delay_holds_back_both_ways(proxy: Proxy, client: socket.socket) -> None:
    proxy.delay_s = 0.4
    client.settimeout(0.4)
    client.sendall(b"slow")
    with pytest.raises(TimeoutError):
        client.recv(10)
    client.settimeout(5)
    assert client.recv(10) == b"slow"


def test_a_server_that_is_away_ends_the_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = taken.getsockname()
    with (
        Proxy(*address) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port), timeout=PATIENCE_S) as client,
    ):

        def refused() -> bool:
            try:
                return client.recv(1) == b""
            except ConnectionResetError:
                return True

        assert eventually(refused)


def test_an_answer_without_a_record_batch_has_nothing_to_spoil() -> None:
    assert last_byte_of_a_batch(bytes(500)) is None


def test_its_end_is_quiet(caplog: pytest.LogCaptureFixture) -> None:
    """While it forwards: asyncio tells of what was cancelled as an error, which hides those of the test."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        with Proxy(*server.getsockname()) as proxy:
            client = socket.create_connection(("127.0.0.1", proxy.port), timeout=PATIENCE_S)
            client.sendall(b"hello")
            end, _ = server.accept()
            assert end.recv(5) == b"hello"
        client.close()
        end.close()
    assert [record.message for record in caplog.records if record.levelno > logging.INFO] == []


def test_its_end_leaves_no_connection_open_that_came_at_that_instant() -> None:
    """Or else the collector tells of it later, in whatever test runs then."""
    for _ in range(10):
        ends: list[socket.socket] = []
        with socket.create_server(("127.0.0.1", 0), backlog=1_000) as server:
            with Proxy(*server.getsockname()) as proxy:
                knocking = threading.Thread(target=knock, args=(proxy.port, ends))
                knocking.start()
                eventually(partial(has_more_than, 50, ends))
            knocking.join()
        for end in ends:
            end.close()
    gc.collect()  # what is still open warns now, and a warning fails


def knock(port: int, ends: list[socket.socket]) -> None:
    """Connect, again and again, as long as somebody listens."""
    with suppress(OSError):
        while True:
            ends.append(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S))


def has_more_than(number: int, ends: list[socket.socket]) -> bool:
    """Whether so many connections are open."""
    return len(ends) > number
