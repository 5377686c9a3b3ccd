"""Content codings: what is inflated, to how much at most, and what is refused."""

import gzip
import tracemalloc
import zlib

import pytest

from producers.coding import check_coding, decoded
from producers.delivery import NotDecodable, Refusal, TooLarge, UnsupportedCoding
from tests.bombs import MIB, deflated_zeros, gzipped_zeros
from tests.deliveries import Sent

BODY = b'{"user_id":"u"}'
LIMIT = 1_000


def coded(name: str) -> Sent:
    return Sent(("content-encoding", name))


@pytest.mark.parametrize("name", ["gzip", "GZIP", "x-gzip"])
def test_gzip_is_inflated(name: str) -> None:
    check_coding(coded(name))
    assert decoded(gzip.compress(BODY, mtime=0), coded(name), LIMIT) == BODY


def test_deflate_has_zlibs_wrapper() -> None:
    check_coding(coded("deflate"))
    assert decoded(zlib.compress(BODY), coded("deflate"), LIMIT) == BODY


@pytest.mark.parametrize("headers", [Sent(), coded("identity"), coded("Identity")])
def test_what_is_not_coded_stays_as_it_is(headers: Sent) -> None:
    check_coding(headers)
    assert decoded(BODY, headers, LIMIT) is BODY


@pytest.mark.parametrize("name", ["br", "zstd", "", "gzip, gzip", "gzip;q=1", "compress"])
def test_another_coding_is_unsupported(name: str) -> None:
    with pytest.raises(UnsupportedCoding):
        check_coding(coded(name))


def test_two_headers_are_two_codings() -> None:
    with pytest.raises(UnsupportedCoding):
        check_coding(Sent(("content-encoding", "gzip"), ("content-encoding", "identity")))


@pytest.mark.parametrize(
    ("name", "body", "refusal"),
    [
        ("gzip", BODY, NotDecodable),
        ("gzip", b"", NotDecodable),
        ("gzip", gzip.compress(BODY, mtime=0)[:-1], NotDecodable),
        ("gzip", gzip.compress(BODY, mtime=0) + b" ", NotDecodable),
        ("gzip", gzip.compress(BODY, mtime=0) * 2, NotDecodable),
        ("gzip", gzip.compress(BODY, mtime=0)[:-5] + b"spoil", NotDecodable),
        ("gzip", zlib.compress(BODY), NotDecodable),
        ("deflate", gzip.compress(BODY, mtime=0), NotDecodable),
        ("gzip", gzip.compress(bytes(LIMIT + 1), mtime=0), TooLarge),
        ("deflate", zlib.compress(bytes(LIMIT + 1)), TooLarge),
    ],
)
def test_what_cannot_be_inflated_is_refused(name: str, body: bytes, refusal: type[Refusal]) -> None:
    with pytest.raises(refusal):
        decoded(body, coded(name), LIMIT)


def test_exactly_the_limit_passes() -> None:
    assert len(decoded(gzip.compress(bytes(LIMIT)), coded("gzip"), LIMIT)) == LIMIT


def test_the_bombs_are_what_they_say() -> None:
    assert gzip.decompress(gzipped_zeros(3)) == bytes(3 * MIB)
    assert zlib.decompress(deflated_zeros(3)) == bytes(3 * MIB)


def test_a_bomb_costs_no_more_than_the_limit() -> None:
    bomb = gzipped_zeros(95)
    assert len(bomb) < LIMIT * 100
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            decoded(bomb, coded("gzip"), LIMIT)
        assert tracemalloc.get_traced_memory()[1] < 20 * LIMIT + 2 * len(bomb)
    finally:
        tracemalloc.stop()
