"""Hostile requests as a table: the bytes, the answers that are right, and why."""

import gzip
import json
import zlib
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from tests.bombs import MIB, deflated_zeros, gzipped_zeros
from tests.deliveries import API_KEY, as_body, asleep_session, generic_session, signed

MARK: Final = "told-to-nobody"
"""Stands in what is sent, and must stand in no log line and no refusal."""
CLOSED: Final = 0
"""For a status: the connection ends without an answer."""
LINE: Final = b"POST /webhooks/plain HTTP/1.1"
Header = tuple[str, str | bytes]


class Row(NamedTuple):
    """One request and what is expected of it."""

    wire: bytes
    statuses: tuple[int, ...]
    why: str
    user: str | None = None
    """Whose row it makes, told exactly as it was sent."""


def request(body: bytes, *headers: Header, line: bytes = LINE, length: int | None = None) -> bytes:
    """A request whose framing is right, unless another length is told."""
    told = [("host", "relay"), *headers, ("content-length", str(len(body) if length is None else length))]
    return bare(line, *told, body=body)


def bare(line: bytes, *headers: Header, body: bytes = b"") -> bytes:
    """A request with these headers alone."""
    lines = [
        name.encode() + b": " + (text if isinstance(text, bytes) else text.encode()) for name, text in headers
    ]
    return b"\r\n".join([line, *lines, b"", b""]) + body


def event(**told: Any) -> bytes:
    return as_body(generic_session(**told))


PLAIN: Final = event(user_id="a-plain-user")
_MARKED: Final = event(user_id=MARK)
_CHUNKED: Final = ("transfer-encoding", "chunked")
_HOST: Final = ("host", "relay")


def chunked(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (*pieces, b""))


def _spliced(name: str, text: str) -> bytes:
    """An event with a field that Python's own encoder would not write."""
    return event(**{name: "HERE"}).replace(b'"HERE"', text.encode("utf-8", "surrogatepass"))


def _bodies() -> dict[str, Row]:
    def row(body: bytes, status: int, why: str, user: str | None = None) -> Row:
        return Row(request(body), (status,), why, user)

    def user(text: str, why: str) -> Row:
        return row(event(user_id=text, session_id=f"of {text[:9]}"), 200, why, text)

    no_number, no_time = "no column holds such a number", "no table holds such a time"
    return {
        "duplicate keys": row(PLAIN[:-1] + b', "sequence": 4}', 200, "RFC 8259 lets the last one win"),
        "NaN": row(_spliced("x", "NaN"), 400, "is no JSON"),
        "Infinity": row(_spliced("x", "-Infinity"), 400, "is no JSON"),
        "half a surrogate pair": row(_spliced("x", r'"\ud800"'), 422, "is JSON, and UTF-8 can't hold it"),
        "half a pair as a name": row(rb'{"\udfff": 1}', 422, "likewise"),
        "a surrogate as bytes": row(_spliced("x", '"\ud800"'), 400, "is no UTF-8"),
        "U+0000": row(event(user_id="a\x00b"), 422, "Postgres' text can't hold it"),
        "U+0000 as a name": row(event(**{"a\x00b": 1}), 422, "likewise"),
        "a raw control byte": row(_spliced("x", '"\x00"'), 400, "has to be escaped in JSON"),
        "byte-order mark": row(b"\xef\xbb\xbf" + PLAIN, 400, "RFC 8259, 8.1: must not be there"),
        "UTF-16": row(PLAIN.decode().encode("utf-16"), 400, "is not UTF-8"),
        "UTF-16 without a mark": row(PLAIN.decode().encode("utf-16-le"), 400, "likewise"),
        "depth 10,000": row(b'{"x":' * 10_000 + b"1" + b"}" * 10_000, 400, "is beyond any reader's stack"),
        "depth 500,000, never closed": row(b"[" * 500_000, 400, "likewise"),
        "depth 65": row(_spliced("x", "[" * 65 + "]" * 65), 400, "is beyond our own bound"),
        "5,000 digits": row(_spliced("x", "7" * 5_000), 422, no_number),
        "5,000 decimals": row(_spliced("x", "0." + "7" * 5_000), 200, "is a number like any other"),
        "1e400": row(_spliced("x", "1e400"), 422, no_number),
        "1e-400": row(_spliced("x", "1e-400"), 200, "is zero"),
        "a sequence of 2^63": row(_spliced("sequence", str(2**63)), 422, no_number),
        "a fractional sequence": row(event(sequence=1.0), 422, "is not written as a whole number"),
        "year 0": row(event(occurred_at="0000-01-01T00:00:00Z"), 422, no_time),
        "year 30827": row(event(occurred_at="30827-01-01T00:00:00Z"), 422, no_time),
        "before year 1, in UTC": row(event(occurred_at="0001-01-01T00:00:00+14:00"), 422, no_time),
        "after year 9999, in UTC": row(event(occurred_at="9999-12-31T23:59:59-14:00"), 422, no_time),
        "a leap second": row(event(occurred_at="2016-12-31T23:59:60Z"), 422, no_time),
        "an hour 24": row(event(occurred_at="2026-02-14T24:00:00Z"), 422, "RFC 3339 has none"),
        "an empty id": row(event(user_id=""), 422, "is no id"),
        "an id of 300": row(event(user_id="x" * 300), 422, "is longer than ids are"),
        "an id of 255 of 4 bytes": user("😴" * 255, "counts in characters, and fits every index"),
        "homoglyphs": user("n\u043er\u0430", "ids are opaque: another spelling is another user"),
        "line ends in an id": user('a\r\nx-id: b\n{"event": "forged"}', "stays within its field"),
        "terminal codes in an id": user("\x1b[2J\x07\u202e\u2028\ufeff", "likewise"),
        "an id that is a list": row(event(session_id=["a"]), 422, "is no text"),
        "4 MiB of one string": row(event(x="x" * 4 * MIB), 413, "is above the bound"),
        "a string up to the bound": row(event(x="x" * (MIB - 1_000)), 200, "is below it"),
        "a million members": row(b'{"x":[' + b"[]," * 300_000 + b"[]]}", 422, "is no event"),
        "nothing": row(b"", 400, "is no JSON"),
        "a list": row(b"[]", 422, "is no object"),
        "two texts": row(PLAIN + PLAIN, 400, "is not one JSON text"),
    }


def _codings() -> dict[str, Row]:
    def row(coding: str, body: bytes, status: int, why: str, *headers: Header) -> Row:
        return Row(request(body, ("content-encoding", coding), *headers), (status,), why)

    night = gzip.compress(as_body(asleep_session()))
    proofs = signed(night).items()
    on_asleep = b"POST /webhooks/asleep HTTP/1.1"
    coded, bomb = ("content-encoding", "gzip"), gzipped_zeros(200)
    return {
        "gzip": row("gzip", gzip.compress(PLAIN), 200, "is a coding that is taken"),
        "deflate": row("deflate", zlib.compress(PLAIN), 200, "likewise"),
        "gzip bomb": row("gzip", bomb, 413, "is inflated up to the bound"),
        "deflate bomb": row("deflate", deflated_zeros(200), 413, "likewise"),
        "gzip of gzip": row("gzip", gzip.compress(gzip.compress(PLAIN)), 400, "one coding is told"),
        "gzip cut off": row("gzip", gzip.compress(PLAIN)[:-3], 400, "is not whole"),
        "gzip and more": row("gzip", gzip.compress(PLAIN) + b"more", 400, "has something behind it"),
        "50,000 gzips": row(
            "gzip", gzip.compress(b"") * 50_000, 400, "would cost the square of their number"
        ),
        "gzip that is none": row("gzip", PLAIN, 400, "is not what it says"),
        "brotli": row("br", PLAIN, 415, "is not known here"),
        "two codings": row("gzip, gzip", gzip.compress(gzip.compress(PLAIN)), 415, "is one too many"),
        "signed gzip": Row(request(night, coded, *proofs, line=on_asleep), (200,), "signs what came"),
        "signed before gzip": Row(
            request(night, coded, *signed(gzip.decompress(night)).items(), line=on_asleep),
            (401,),
            "a signature is over the bytes as they came",
        ),
        "a bomb without a key": Row(request(bomb, coded, line=on_asleep), (401,), "is not even inflated"),
    }


def _framings() -> dict[str, Row]:
    def length(text: str, status: int, why: str, *, body: bytes = PLAIN) -> Row:
        return Row(bare(LINE, _HOST, ("content-length", text), body=body), (status,), why)

    def stream(body: bytes, status: int, why: str, *headers: Header) -> Row:
        return Row(bare(LINE, _HOST, *headers, _CHUNKED, body=body), (status,), why)

    big = chunked(*[b" " * 65_536] * 40)
    return {
        "a length too short": length("10", 400, "the rest is no request"),
        "a length too long": length("2000", 408, "the rest never comes"),
        "a negative length": length("-1", 400, "RFC 9112, 6.3: digits only"),
        "a length with a sign": length("+5", 400, "likewise"),
        "a length with an underscore": length("1_0", 400, "Python would read it, HTTP does not"),
        "an empty length": length("", 400, "is none"),
        "a length of 63 bits": length(str(2**63), 413, "is above the bound, and never allocated"),
        "a length beyond 64 bits": length("9" * 40, 400, "is no length"),
        "a length of 5,000 digits": length(f"{len(PLAIN):05000}", 200, "zeros change nothing"),
        "a list of lengths": length(f"{len(PLAIN)}, {len(PLAIN)}", 400, "is no length"),
        "two lengths": Row(request(PLAIN, ("content-length", "5")), (400,), "RFC 9112, 6.3: they differ"),
        "chunks": stream(chunked(PLAIN[:9], PLAIN[9:]), 200, "needs no length"),
        "one-byte chunks": stream(chunked(*[PLAIN[i : i + 1] for i in range(len(PLAIN))]), 200, "likewise"),
        "chunks without end": stream(big, 413, "the bound holds while it streams"),
        "a length beside chunks": stream(
            big, 413, "RFC 9112, 6.1: the chunks count", ("content-length", "5")
        ),
        "a chunk that is none": stream(b"zz\r\n{}\r\n0\r\n\r\n", 400, "what came is no JSON"),
        "a chunk of 2^80": stream(b"f" * 20 + b"\r\n{}\r\n0\r\n\r\n", 400, "likewise"),
        "a bad chunk behind an event": stream(chunked(PLAIN)[:-5] + b"zz\r\n", 200, "JSON knows its own end"),
        "a bad chunk within an event": stream(chunked(PLAIN[:9])[:-5] + b"zz\r\n", 400, "likewise"),
        "chunks that hang": stream(b"5\r\n{", 408, "does not arrive in time"),
        "a foreign transfer coding": Row(
            bare(LINE, _HOST, ("transfer-encoding", "gzip"), body=PLAIN), (400,), "has no end that is known"
        ),
    }


def _lines() -> dict[str, Row]:
    def line(text: bytes, status: int, why: str) -> Row:
        return Row(request(PLAIN, line=text), (status,), why)

    return {
        "HTTP/1.0": line(b"POST /webhooks/plain HTTP/1.0", 200, "is old, and whole"),
        "HTTP/0.9": Row(b"GET /livez\r\n\r\n", (400,), "is not spoken"),
        "HTTP/3.0": line(b"POST /webhooks/plain HTTP/3.0", 400, "is not spoken"),
        "the preface of HTTP/2": Row(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (CLOSED, 400), "is not spoken"),
        "absolute form": line(b"POST http://relay/webhooks/plain HTTP/1.1", 200, "RFC 9112, 3.2.2: a must"),
        "authority form": line(b"CONNECT relay:80 HTTP/1.1", 404, "this is no proxy"),
        "asterisk form": line(b"OPTIONS * HTTP/1.1", 404, "is no route"),
        "a percent-encoded name": line(b"POST /webhooks/%70lain HTTP/1.1", 200, "is the same URL"),
        "a percent-encoded NUL": line(b"POST /webhooks/plain%00 HTTP/1.1", 404, "is another name"),
        "percent-encoded line ends": line(b"POST /webhooks/a%0d%0ax:%20b HTTP/1.1", 404, "is another name"),
        "percent-encoded bytes": line(b"POST /webhooks/%ff%fe HTTP/1.1", 404, "are no name"),
        "a percent sign alone": line(b"POST /webhooks/%zz HTTP/1.1", 404, "is a name as it stands"),
        "a traversing path": line(
            b"POST /webhooks/../webhooks/plain HTTP/1.1", 404, "paths are compared whole"
        ),
        "… percent-encoded": line(b"POST /x/%2e%2e/webhooks/plain HTTP/1.1", 404, "likewise"),
        "to files": line(b"GET /../../../../etc/passwd HTTP/1.1", 404, "no file is served"),
        "a path of 60 kB": line(b"POST /" + b"a" * 60_000 + b" HTTP/1.1", 404, "is only compared"),
        "a path of 80 kB": Row(
            request(PLAIN, line=b"POST /" + b"a" * 80_000 + b" HTTP/1.1"),
            (414, 431),
            "is above the bound, by whichever is noticed first",
        ),
        "raw bytes in a path": line(b"POST /\xff HTTP/1.1", 400, "are no URL"),
        "a method of 1,000": line(b"A" * 1_000 + b" /webhooks/plain HTTP/1.1", 405, "is only compared"),
        "a marked path": line(f"POST /webhooks/{MARK}?{MARK}={MARK} HTTP/1.1".encode(), 404, "is not told"),
    }


def _headers() -> dict[str, Row]:
    def header(name: str, text: bytes, statuses: Sequence[int], why: str) -> Row:
        return Row(request(PLAIN, (name, text)), tuple(statuses), why)

    many = tuple((f"x-{number}", "a") for number in range(500))
    return {
        "a NUL in a header": header("x-a", b"a\x00b", [400], "is no header"),
        "a bare CR in a header": header("x-a", b"a\rx-b: c", [400], "is no header"),
        "a folded header": Row(request(PLAIN, ("x-a", b"a\r\n b")), (400,), "RFC 9112, 5.2: may be refused"),
        "raw bytes in headers": header("x-request-id", b"\xff\xfe", [200], "is replaced"),
        "an invalid traceparent": header("traceparent", b"00-" + b"0" * 49, [200], "a new trace begins"),
        "a traceparent of 8 kB": header("traceparent", b"0" * 8_192, [200], "likewise"),
        "500 headers": Row(request(PLAIN, *many), (431, CLOSED), "are more than are taken"),
        "100 MB of headers": Row(
            bare(LINE, _HOST, *[("x-a", "a" * 10_000)] * 10_000), (431, CLOSED), "are cut off early"
        ),
        "a TLS greeting": Row(
            bytes.fromhex("16030100a5010000a10303") + bytes(160), (400, CLOSED), "is no HTTP"
        ),
        "bytes at random": Row(bytes(range(256)) * 64, (400, CLOSED), "is no HTTP"),
        "an upgrade": Row(
            request(PLAIN, ("connection", "upgrade"), ("upgrade", "h2c"), ("http2-settings", "AAMAAABk")),
            (200,),
            "RFC 9110, 7.8: may be ignored",
        ),
        "an odd expectation": header("expect", b"a-miracle", [200, 417], "is not known here"),
        "a key twice": Row(
            request(
                _MARKED, ("x-api-key", API_KEY), ("x-api-key", MARK), line=b"POST /webhooks/asleep HTTP/1.1"
            ),
            (401,),
            "says nothing of which one is meant",
        ),
        "two types of media": Row(
            request(PLAIN, ("content-type", "text/plain"), ("content-type", "application/json")),
            (415,),
            "the first one counts",
        ),
        "a marked problem": Row(
            request(json.dumps({"user_id": [MARK], "type": MARK}).encode(), ("x-user-id", MARK)),
            (422,),
            "values are not told",
        ),
    }


ROWS: Final = {**_bodies(), **_codings(), **_framings(), **_lines(), **_headers()}
