"""Asleep's data API on a local port, which misbehaves as it is told.

Paths, headers and fields as in the vendor's public pages "[GET] List Sessions" and "[GET] Get Session".
"""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import repeat
from random import Random
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from session_relay.simulate.hypnogram import night

KEY = "a-key-that-only-tests-know"
FIRST_NIGHT = datetime(2026, 9, 1, 21, 30, tzinfo=UTC)
SESSION = re.compile(r"/data/v3/sessions/(.+)")
_TEMPLATES = [night(Random(seed)) for seed in range(12)]


class Asked(NamedTuple):
    """One request."""

    path: str
    query: dict[str, str]
    user: str | None
    key: str | None
    at_s: float


class Answer(NamedTuple):
    """One answer; a body that is no text goes out as JSON."""

    status: int = 200
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()
    fault: str = ""
    """`cut`: closed in mid-body. `hang`: nothing more. `trickle`: a byte now and then. `endless`."""


@dataclass(kw_only=True)
class Manners:
    """Shares of requests that go wrong, and an outage."""

    throttled: float = 0.0
    broken: float = 0.0
    cut: float = 0.0
    garbled: float = 0.0
    slow: float = 0.0
    slow_s: float = 0.2
    outage_after: int | None = None
    """Requests until the outage begins."""
    outage_s: float = 2.0
    retry_after: str = "1"


@dataclass(kw_only=True)
class FakeAsleep:
    """The vendor: users with nights, all of them finished, and what it was asked."""

    key: str = KEY
    users: int = 1
    nights: int = 1
    manners: Manners = field(default_factory=Manners)
    unfinished: dict[str, str] = field(default_factory=dict)
    """States of sessions that are not COMPLETE."""
    special: Callable[[Asked], Answer | None] = lambda _: None
    """Answers before anything else does."""
    asked: list[Asked] = field(default_factory=list)
    cookies: list[str | None] = field(default_factory=list)
    """What each request brought of the cookies that every answer sets."""
    url: str = ""
    _rng: Random = field(default_factory=lambda: Random(7))
    _outage_until_s: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    ending: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def serving(self) -> Iterator["FakeAsleep"]:
        """Serve on a free port."""
        server = _Server(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield self
        finally:
            self.ending.set()
            server.shutdown()
            server.server_close()
            thread.join()

    def user(self, number: int) -> str:
        return f"sleeper-{number:04}"

    def ids(self) -> list[str]:
        return [self.user(number) for number in range(self.users)]

    def session_ids(self, number: int) -> list[str]:
        return [f"{self.start(n):%Y%m%d%H%M%S}_{number:04}_{n:03}" for n in range(self.nights)]

    def state(self, session_id: str) -> str:
        return self.unfinished.get(session_id, "COMPLETE")

    def end_outage(self) -> None:
        with self._lock:
            self._outage_until_s = None

    def start(self, number: int) -> datetime:
        return FIRST_NIGHT + timedelta(days=number)

    def data(self, user: int, number: int) -> dict[str, Any]:
        """The night as the webhook's `data` tells it, but for `user_id`."""
        stages = _TEMPLATES[(user * 31 + number) % len(_TEMPLATES)]
        end = self.start(number) + timedelta(seconds=30 * len(stages))
        session = {
            "id": self.session_ids(user)[number],
            "state": self.state(self.session_ids(user)[number]),
            "start_time": self.start(number).isoformat(),
            "end_time": end.isoformat(),
            "unexpected_end_time": None,
            "created_timezone": "Asia/Seoul",
            "sleep_stages": stages,
            "breath_stages": None,
            "snoring_stages": [0] * len(stages),
        }
        stat = {
            "sleep_time": self.start(number).isoformat(),
            "sleep_latency": 30 * number,
            "time_in_bed": 30 * len(stages),
            "sleep_efficiency": 0.3 + user % 50 / 100,
            "deep_latency": None,
        }
        return {
            "timezone": "UTC",
            "peculiarities": [],
            "missing_data_ratio": 0.0,
            "session": session,
            "stat": stat,
        }

    def answer(self, asked: Asked) -> Answer:
        """What the vendor makes of a request."""
        with self._lock:
            self.asked.append(asked)
            fault = self._fault()
        if (answer := self.special(asked)) is not None:
            return answer
        if fault is not None and fault.fault not in {"cut", "slow"}:
            return fault
        answer = self._good(asked)
        return answer if fault is None else answer._replace(fault=fault.fault)

    def _fault(self) -> Answer | None:
        manners, now_s = self.manners, time.monotonic()
        if manners.outage_after is not None and len(self.asked) > manners.outage_after:
            manners.outage_after, self._outage_until_s = None, now_s + manners.outage_s
        if self._outage_until_s is not None and now_s < self._outage_until_s:
            return self._rng.choice((Answer(503), Answer(fault="refuse")))
        kinds = {
            Answer(429, headers=(("retry-after", manners.retry_after),)): manners.throttled,
            Answer(500): manners.broken,
            Answer(fault="cut"): manners.cut,
            Answer(200, "<html>please wait"): manners.garbled,
            Answer(fault="slow"): manners.slow,
        }
        chosen = self._rng.random()
        for answer, share in kinds.items():
            if chosen < share:
                return answer
            chosen -= share
        return None

    def _good(self, asked: Asked) -> Answer:
        if asked.key != self.key:
            return Answer(401, {"detail": "api key is invalid"})
        if asked.user not in self.ids():
            return Answer(404, {"detail": "user does not exist"})
        number = self.ids().index(asked.user)
        if asked.path == "/data/v1/sessions":
            return Answer(body={"detail": "OK", "result": self._page(number, asked.query)})
        found = SESSION.fullmatch(asked.path)
        if found is None or unquote(found[1]) not in self.session_ids(number):
            return Answer(404, {"detail": "Session not found"})
        night_number = self.session_ids(number).index(unquote(found[1]))
        return Answer(body={"detail": "OK", "result": self.data(number, night_number)})

    def _page(self, user: int, query: dict[str, str]) -> dict[str, Any]:
        begun = [
            (self.start(n), session_id)
            for n, session_id in enumerate(self.session_ids(user))
            if query["date_gte"] <= f"{self.start(n):%Y-%m-%d}" <= query["date_lte"]
        ]
        assert query["order_by"] == "ASC"
        assert int(query["limit"]) <= 100
        first = int(query["offset"])
        listed = [
            {
                "session_id": session_id,
                "state": self.state(session_id),
                "session_start_time": start.isoformat(),
            }
            for start, session_id in begun[first : first + int(query["limit"])]
        ]
        return {"timezone": "UTC", "sleep_session_list": listed}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is what some tests are about."""


def _pieces(body: bytes, fault: str) -> Iterator[tuple[bytes, float]]:
    """What goes out, and how long nothing does after each piece."""
    match fault:
        case "cut":
            yield body[: len(body) // 2], 0
        case "hang":
            yield b"", 30
        case "trickle":
            yield from ((bytes([byte]), 0.05) for byte in body)
        case "endless":
            yield from repeat((b" " * 65_536, 0.0))
        case _:
            yield body, 0


def _handler(fake: FakeAsleep) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            fake.cookies.append(self.headers.get("cookie"))
            asked = Asked(
                parts.path,
                {name: values[-1] for name, values in parse_qs(parts.query).items()},
                None if (user := self.headers.get("x-user-id")) is None else user.encode("latin1").decode(),
                self.headers.get("x-api-key"),
                time.monotonic(),
            )
            self._send(fake.answer(asked))

        def _send(self, answer: Answer) -> None:
            body = (answer.body if isinstance(answer.body, str) else json.dumps(answer.body)).encode()
            self.close_connection = answer.fault in {"refuse", "cut", "hang", "trickle", "endless"}
            if answer.fault == "refuse":
                return
            if answer.fault == "slow":
                fake.ending.wait(fake.manners.slow_s)
            self.send_response(answer.status)
            for name, value in answer.headers:
                self.send_header(name, value)
            self.send_header("set-cookie", "whose=this-user's; Path=/")
            if answer.fault != "endless":
                self.send_header("content-length", str(len(body)))
            self.end_headers()
            for piece, pause_s in _pieces(body, answer.fault):
                self.wfile.write(piece)
                self.wfile.flush()
                if fake.ending.wait(pause_s):
                    return

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    return Handler


def most_in_a_second(asked: list[Asked]) -> int:
    """The most requests that any second saw begin."""
    times = sorted(one.at_s for one in asked)
    most = first = 0
    for last, at_s in enumerate(times):
        while times[first] <= at_s - 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most
