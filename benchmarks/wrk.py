"""The load generator: wrk, from the system's packages, sending signed bodies in rotation."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final

import msgspec

from config.errors import RelayError, Unavailable
from session_relay.simulate import hypnogram
from session_relay.simulate.facts import ASLEEP, Facts, packed
from session_relay.simulate.sender import Credentials
from session_relay.simulate.spellings import Spelling, spell

CONNECTIONS: Final = 64
_BODIES: Final = 200
_SEED: Final = 20_260_214
_EPOCHS: Final = 100
_SIZES: Final = range(560, 660)  # bytes of a body: without those that have a line for every epoch
_TIMEOUT_S: Final = 15  # above the relay's own deadline of 10 s
_LUA: Final = """
local deliveries = {
%s}
local requests, at = {}, 0

init = function(args)
  for number, one in ipairs(deliveries) do
    requests[number] = wrk.format("POST", nil, one[1], one[2])
  end
end

request = function()
  at = at %% #requests + 1
  return requests[at]
end

done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"answers": %%d, "refused": %%d, "broken": %%d, "seconds": %%f, ' ..
    '"p50_ms": %%f, "p99_ms": %%f, "max_ms": %%f}\\n',
    summary.requests, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3))
end
"""
_PACE: Final = """
local ffi = require("ffi")
ffi.cdef("typedef struct { long s; long ns; } moment; int clock_gettime(int clock, moment *now);")
local now, due = ffi.new("moment"), nil

-- asked before each request of any connection: how many ms it has to wait for its place in the row
delay = function()
  ffi.C.clock_gettime(1, now)
  local now_ms = tonumber(now.s) * 1e3 + tonumber(now.ns) / 1e6
  due = (due or now_ms) + %f
  if due < now_ms - 1000 then due = now_ms end
  return math.max(0, due - now_ms)
end
"""


class Load(msgspec.Struct, frozen=True):
    """What one run of the load generator counted."""

    answers: int
    refused: int
    """Of the answers, those with a status above 399."""
    broken: int
    """Errors of sockets and time-outs."""
    seconds: float
    p50_ms: float
    p99_ms: float
    max_ms: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds


def program() -> str:
    """The path of wrk.

    Raises:
        Unavailable: It is not installed.
    """
    found = shutil.which("wrk")
    if found is None:
        raise Unavailable(
            "The relay's benchmark needs wrk, which is not a Python package: apt-get install wrk (Debian, "
            "Ubuntu), dnf install wrk (Fedora), or https://github.com/wg/wrk. Without it: --only sink."
        )
    return found


def write_script(path: Path, credentials: Credentials, rate: float | None = None) -> None:
    """Write the script that sends 200 different signed inferences in rotation.

    Args:
        path: Where to.
        credentials: What they are signed with.
        rate: So many a second, evenly; by default as many as answers allow. What is late is sent at once, up
            to a second's worth.
    """
    path.touch(mode=0o600)  # it holds the secrets of this run
    script = _LUA % "".join(_delivery(body, credentials) for body in bodies())
    path.write_text(script + (_PACE % (1_000 / rate) if rate else ""), "utf-8")


def bodies() -> Sequence[bytes]:
    """200 inferences of as many users, about 600 bytes each; the same every time."""
    rng = Random(_SEED)
    found: list[bytes] = []
    while len(found) < _BODIES:
        stages = hypnogram.night(rng)
        facts = Facts(
            source=ASLEEP,
            type="INFERENCE_COMPLETE",
            user_id=f"G-20260214-{len(found):06}",
            session_id=f"20260214{len(found):06}_q7w2e",
            sequence=rng.randrange(100),
            stages=packed(tuple(stages[-_EPOCHS:])),
        )
        body = spell(facts, Spelling.ASLEEP_DATA, rng.randrange(2**31))
        if len(body) in _SIZES:
            found.append(body)
    return found


def run(script: Path, url: str, seconds: int) -> Load:
    """Send as the script says, on 64 connections from one thread.

    Raises:
        RelayError: wrk failed.
    """
    return finish(start(script, url, seconds), seconds)


def start(script: Path, url: str, seconds: int) -> "subprocess.Popen[str]":
    """Begin to send; SIGINT ends it early, and it tells what it counted all the same."""
    args = ["-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", f"--timeout={_TIMEOUT_S}s", f"-s{script}", url]
    return subprocess.Popen([program(), *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(sending: "subprocess.Popen[str]", seconds: int) -> Load:
    """Wait for its end.

    Raises:
        RelayError: wrk failed.
    """
    try:
        output, errors = sending.communicate(timeout=seconds + 60)
    except BaseException:
        sending.kill()
        sending.wait()
        raise
    lines = output.splitlines()
    if sending.returncode or not lines:
        raise RelayError(f"wrk ended with status {sending.returncode}: {errors.strip()[-500:]}")
    return msgspec.json.decode(lines[-1], type=Load)


def _delivery(body: bytes, credentials: Credentials) -> str:
    headers = {"content-type": "application/json", **credentials.headers(body)}
    table = ", ".join(f"[{_quoted(name)}]={_quoted(value)}" for name, value in headers.items())
    return f"  {{ {{ {table} }}, {_quoted(body.decode())} }},\n"


def _quoted(text: str) -> str:
    """A Lua string that is the text itself (Lua 5.1 manual, section 2.1, long brackets)."""
    return f" [==[{text}]==] "  # spaces: a bracket before it would begin another one
