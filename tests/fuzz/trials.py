"""What is sent: number N of a seed is always the same request, with the answers that its model allows."""

import gzip
import json
import random
import zlib
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from tests.deliveries import asleep_inference, asleep_session, generic_session, signed
from tests.hostile import CLOSED, LINE, PLAIN, ROWS, bare, chunked, request

SAFE: Final = frozenset({200, 202})
"""202 while Kafka is slow: the spool is on."""
JSON: Final = frozenset({400, 422})
ANY: Final = frozenset({CLOSED, *SAFE, *JSON, 401, 404, 405, 408, 413, 414, 415, 417, 431})
"""Whatever is no failure of ours."""
_SMALL_BYTES: Final = 200_000
_ROWS: Final = [
    row for row in ROWS.values() if len(row.wire) < _SMALL_BYTES and not {408, 413} & set(row.statuses)
]
"""Without those that take long, to make or to time out."""
_LINE_ASLEEP: Final = b"POST /webhooks/asleep HTTP/1.1"
_LINE_BATCH: Final = b"POST /webhooks/plain/batch HTTP/1.1"
_BAD_FIELDS: Final[dict[str, tuple[Any, ...]]] = {
    "user_id": ("", "x" * 256, 7, None, [], {}, "a\x00", True),
    "session_id": ("", "x" * 256, 7, [], {"a": 1}),
    "type": ("", None, 7, "x" * 256),
    "sequence": (1.0, True, "1", 2**63, -(2**63) - 1),
    "epoch_seconds": (0, 86_401, -1, 0.5, "30"),
    "occurred_at": ("", "now", 0, "2026-02-30T00:00:00Z", "2026-02-14T22:05:00"),
    "session_start_time": ("0000-01-01T00:00:00Z", "+10000-01-01T00:00:00Z", [], 1e9),
    "sleep_stages": ("0123", [4], [-2], [1.0], [True], [[0]], [None], {"0": 1}),
    "statistics": ([], 1, "x", {"time_in_bed": "1"}, {"waso_count": 1.5}),
    "attributes": ([], 1, {"a": 1}, {"a": None}, {"a": {"b": "c"}}),
}


class Trial(NamedTuple):
    """One request."""

    kind: str
    wire: bytes
    statuses: frozenset[int]
    is_framed: bool = True
    """Whether the connection can be used for another one; otherwise only the first answer is of interest."""
    method: bytes = b"POST"


def trial(seed: int, number: int) -> Trial:
    """The request of this number."""
    chance = random.Random(f"{seed}:{number}")
    (make,) = chance.choices(list(_MAKERS), weights=list(_MAKERS.values()))
    made = make(chance)
    return made._replace(kind=f"{make.__name__.strip('_')}{made.kind}")


def _text(chance: random.Random, longest: int = 40) -> str:
    """Any text that UTF-8 can hold, but for U+0000."""
    ranges = ((0x20, 0x7E), (1, 0x1F), (0xA0, 0x2FFF), (0xE000, 0xFFFF), (0x10000, 0x10FFFF))
    return "".join(chr(chance.randint(*chance.choice(ranges))) for _ in range(chance.randint(1, longest)))


def _tree(chance: random.Random, levels: int = 4) -> Any:
    kind = chance.randrange(8 if levels else 6)
    if kind < 6:
        scalars = (
            None,
            chance.random() < 0.5,
            _text(chance),
            chance.random() * 10.0 ** chance.randint(-99, 99),
        )
        return chance.choice([*scalars, chance.randint(-(2**63), 2**64 - 1), "2026-02-14T22:05:00Z"])
    inner = [_tree(chance, levels - 1) for _ in range(chance.randint(0, 5))]
    return inner if kind == 6 else {_text(chance): value for value in inner}


def _valid_event(chance: random.Random) -> bytes:
    told: dict[str, Any] = {
        "user_id": f"fuzz-{chance.randrange(50)}",
        "session_id": chance.choice([f"night-{chance.randrange(9)}", _text(chance, 250)]),
        "type": chance.choice(
            ["SESSION_STARTED", "SESSION_FAILED", "SESSION_COMPLETE", "UNKNOWN", _text(chance)]
        ),
        "sequence": chance.choice([0, chance.randint(-(2**63), 2**63 - 1)]),
        "sleep_stages": [chance.randint(-1, 3) for _ in range(chance.choice([0, 1, 60]))],
        "attributes": {_text(chance): _text(chance, 300) for _ in range(chance.randrange(4))},
        f"x{_text(chance)}": _tree(chance),
    }
    left_out = chance.choice(["timezone", "statistics", "attributes", "occurred_at", "nothing"])
    return _dumped(
        chance, {name: value for name, value in generic_session(**told).items() if name != left_out}
    )


def _dumped(chance: random.Random, told: object) -> bytes:
    gaps = chance.choice([(",", ":"), (", ", ": "), (" ,\n", "\t:\r")])
    return json.dumps(told, ensure_ascii=chance.random() < 0.5, separators=gaps).encode()


def _framed(chance: random.Random, body: bytes, *headers: tuple[str, str], line: bytes = LINE) -> bytes:
    """The body, announced or in chunks, under headers that change nothing."""
    idle = [
        ("x-idle", _visible(chance)),
        ("traceparent", _visible(chance)),
        ("accept", "*/*"),
        ("cookie", "a=b"),
    ]
    told = [*headers, *chance.sample(idle, chance.randrange(3))]
    chance.shuffle(told)
    if chance.random() < 0.7:
        return request(body, *told, line=line)
    cuts = sorted(chance.randint(0, len(body)) for _ in range(chance.randrange(4)))
    pieces = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True) if a < b]
    return bare(line, ("host", "relay"), *told, ("transfer-encoding", "chunked"), body=chunked(*pieces))


def _visible(chance: random.Random) -> str:
    return "x" + "".join(chr(chance.randint(0x20, 0x7E)) for _ in range(chance.randrange(80))) + "x"


def _event(chance: random.Random) -> Trial:
    return Trial("", _framed(chance, _valid_event(chance)), SAFE)


def _signed(chance: random.Random) -> Trial:
    spelling = chance.choice(["documented", "flat", "callback"])
    night = asleep_session(spelling) if chance.random() < 0.5 else asleep_inference(spelling)
    body = _dumped(chance, night)
    headers = signed(body)
    if chance.random() < 0.5:
        return Trial("", _framed(chance, body, *headers.items(), line=_LINE_ASLEEP), SAFE)
    spoiled = chance.choice(["x-api-key", "x-signature", "body"])
    if spoiled == "body":
        return Trial(
            " not", _framed(chance, body + b" ", *headers.items(), line=_LINE_ASLEEP), frozenset({401})
        )
    headers[spoiled] = chance.choice([_visible(chance), "", headers[spoiled][:-1], headers[spoiled] + ", a"])
    return Trial(" not", _framed(chance, body, *headers.items(), line=_LINE_ASLEEP), frozenset({401}))


def _bad_field(chance: random.Random) -> Trial:
    name = chance.choice(list(_BAD_FIELDS))
    bad = chance.choice(_BAD_FIELDS[name])
    body = _dumped(chance, generic_session(**{name: bad}))
    return Trial(f" {name}", _framed(chance, body), frozenset({422}))


def _tree_of_anything(chance: random.Random) -> Trial:
    return Trial("", _framed(chance, _dumped(chance, _tree(chance))), SAFE | {422})


def _depth(chance: random.Random) -> Trial:
    levels = chance.choice([1, 62, 63, 64, 65, 100, 5_000])
    inner = b"[" * levels + b"]" * levels
    body = PLAIN[:-1] + b', "x": ' + inner + b"}"
    return Trial("", _framed(chance, body), SAFE if levels < 64 else frozenset({400}))


def _spoiled_body(chance: random.Random) -> Trial:
    body = _spoiled(chance, _valid_event(chance))
    try:
        json.loads(body.decode(), parse_constant=int)
    except (ValueError, RecursionError):
        return Trial(" no JSON", _framed(chance, body), JSON)
    return Trial(" JSON", _framed(chance, body), SAFE | {422})


def _spoiled(chance: random.Random, good: bytes) -> bytes:
    bad = bytearray(good)
    for _ in range(chance.choice([1, 1, 2, 8])):
        place = chance.randrange(len(bad))
        match chance.randrange(4):
            case 0:
                bad[place] ^= 1 << chance.randrange(8)
            case 1:
                bad[place:place] = chance.choice(
                    [b"\x00", b"\xff", b'"', b"{", b"\\ud800", b"\r\n", b"9" * 400]
                )
            case 2:
                del bad[place : place + chance.choice([1, 1, 9])]
            case _:
                bad[place:place] = bad[place : place + 20]
        bad = bad or bytearray(b"x")
    return bytes(bad)


def _coded(chance: random.Random) -> Trial:
    name = chance.choice(["gzip", "deflate"])
    body = _pressed(name, _valid_event(chance))
    if chance.random() < 0.5:
        return Trial("", _framed(chance, body, ("content-encoding", name)), SAFE)
    spoiled = Trial(
        " spoiled", _framed(chance, _spoiled(chance, body), ("content-encoding", name)), SAFE | JSON
    )
    bomb = Trial(
        " bomb", request(_pressed(name, bytes(3_000_000)), ("content-encoding", name)), frozenset({413})
    )
    other = Trial(" other", _framed(chance, body, ("content-encoding", "br")), frozenset({415}))
    return chance.choice([spoiled, spoiled, bomb, other])


def _pressed(name: str, body: bytes) -> bytes:
    return zlib.compress(body) if name == "deflate" else gzip.compress(body, mtime=0)


def _batch(chance: random.Random) -> Trial:
    count = chance.randrange(5)
    items = b",".join(chance.choice([_valid_event(chance), b"{}", b"7", b"null"]) for _ in range(count))
    whole = chance.random() < 0.9
    wire = _framed(chance, b"[" + items + (b"]" if whole else b""), line=_LINE_BATCH)
    return Trial("", wire, frozenset({207, 422} if whole and not count else {207} if whole else {400}))


def _elsewhere(chance: random.Random) -> Trial:
    path = chance.choice(
        [b"/nowhere", b"/webhooks/nobody", b"/webhooks/plain/x", b"/webhooks/asleep/", b"/%2e/%00"]
    )
    return Trial("", _framed(chance, PLAIN, line=b"POST %s HTTP/1.1" % path), frozenset({404}))


def _wrong_method(chance: random.Random) -> Trial:
    method = chance.choice([b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"TRACE", b"BREW", b"post"])
    return Trial(
        "", bare(b"%s /webhooks/plain HTTP/1.1" % method, ("host", "a")), frozenset({405}), method=method
    )


def _health(chance: random.Random) -> Trial:
    method = chance.choice([b"GET", b"HEAD"])
    path = chance.choice([b"/livez", b"/readyz", b"/health"])
    return Trial("", bare(b"%s %s HTTP/1.1" % (method, path), ("host", "a")), frozenset({200}), method=method)


def _table(chance: random.Random) -> Trial:
    """A row; where the server hangs up on it, asyncio may lose the answer to the reset."""
    row = chance.choice(_ROWS)
    more = SAFE if 200 in row.statuses else {CLOSED}
    return Trial("", row.wire, frozenset(row.statuses) | more, is_framed=False)


def _spoiled_wire(chance: random.Random) -> Trial:
    return Trial("", _spoiled(chance, _framed(chance, _valid_event(chance))), ANY | {207}, is_framed=False)


def _noise(chance: random.Random) -> Trial:
    return Trial("", chance.randbytes(chance.randint(1, 4_000)) + b"\r\n\r\n", ANY, is_framed=False)


_MAKERS: Final[dict[Callable[[random.Random], Trial], float]] = {
    _event: 25,
    _signed: 20,
    _bad_field: 10,
    _tree_of_anything: 5,
    _depth: 2,
    _spoiled_body: 15,
    _coded: 6,
    _batch: 4,
    _elsewhere: 2,
    _wrong_method: 2,
    _health: 1,
    _table: 6,
    _spoiled_wire: 1,
    _noise: 1,
}
"""Kinds of requests and how often each is drawn; what ends its connection is rare."""
