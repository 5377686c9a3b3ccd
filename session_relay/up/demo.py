"""The demo: services, roles, traffic, table; and at the end the question whether all of it is true."""

import asyncio
import errno
import fcntl
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Final

import stamina
from rich.console import Console

from config.embedded.services import Addresses, EmbeddedServices
from config.errors import ExitCode, RelayError
from config.migrations.apply import migrate
from config.sections import KafkaSettings
from config.topics import apply_topics
from session_relay.simulate.sender import Manner
from session_relay.up.board import Board, View
from session_relay.up.observer import Observer
from session_relay.up.roles import Role, RoleDied
from session_relay.up.rounds import Rounds, Traffic
from session_relay.up.setting import Ports, Setting, preferred_ports

_LATER_COUNT: Final = 200
_LATER_MANNER: Final = Manner(connections=4, rate=5.0)
"""After the first round traffic goes on slowly, so that there is something to watch."""
_REFRESH_S: Final = 0.4
_PORT_TAKEN: Final = os.strerror(errno.EADDRINUSE)


@dataclass(frozen=True, kw_only=True)
class Options:
    """What `session-relay up` was asked for.

    Attributes:
        once: End after the first round, with its verdict as the exit code.
        as_json: The last line on standard output is the verdict for programs; all else is on standard error.
        traffic: None to send nothing.
        brokers: 1 or 3; None for what the state directory has.
    """

    once: bool
    as_json: bool
    traffic: Traffic | None
    state_dir: Path
    brokers: int | None


def run(options: Options) -> ExitCode:
    """Start everything, show it, and end it.

    Returns:
        DONE after Ctrl-C or SIGTERM, or, with `once`, if every acknowledged event is stored as expected.

    Raises:
        RelayError: Something could not be started, or a role died.
    """
    console = Console(stderr=options.as_json, highlight=False)
    stamina.instrumentation.set_on_retry_hooks([])  # retries are counted in the table
    try:
        with _sigterm_as_sigint(), _alone(options.state_dir):
            return _run(options, console)
    except KeyboardInterrupt:
        console.print("Stopped; everything that was started here has ended.")
        return ExitCode.FAILED if options.once else ExitCode.DONE


def _run(options: Options, console: Console) -> ExitCode:
    started_s = time.monotonic()
    with ExitStack() as stack:
        console.print(f"Services in {options.state_dir}:", markup=False)
        services = EmbeddedServices.running(
            options.state_dir,
            options.brokers,
            lambda line: console.print(line, markup=False),
            sustained=not options.once,
        )
        addresses = stack.enter_context(services).addresses
        kafka = KafkaSettings(bootstrap_servers=addresses.kafka_bootstrap_servers)
        migrate(addresses.database_url)
        apply_topics(kafka)
        console.print(f"Services are up after {time.monotonic() - started_s:.1f} s; starting relay and sink.")
        setting, roles = _ready_roles(stack, addresses, options.state_dir)
        observer = stack.enter_context(Observer(kafka, addresses.database_url, setting.tenant))
        relay_url = roles["relay"].wait_url("relay_started")
        open_these = {
            "relay": f"{relay_url}/webhooks/asleep",
            "relay's metrics": f"{roles['relay'].wait_url('sidecar_started')}/metrics",
            "sink's metrics": f"{roles['sink'].wait_url('sidecar_started')}/metrics",
            **_services(addresses),
            "logs": str(options.state_dir / "logs"),
            "tenant": setting.tenant,
        }
        view = View(open_these, started_s=started_s)
        if not console.is_terminal:
            for name, address in view.addresses.items():
                console.print(f"{name}: {address}", markup=False, soft_wrap=True)
        board = stack.enter_context(Board(console, view))
        rounds = Rounds(setting, relay_url, observer, view)
        return asyncio.run(_watched(options, console, rounds, board, list(roles.values())))


def _ready_roles(stack: ExitStack, addresses: Addresses, state_dir: Path) -> tuple[Setting, dict[str, Role]]:
    """Start the roles; on free ports if somebody took a preferred one between its choice and its use."""
    for ports in (stack.enter_context(preferred_ports()), Ports()):
        setting = Setting.drawn(ports)
        with ExitStack() as trial:
            roles = {role.name: trial.enter_context(role) for role in _roles(setting, addresses, state_dir)}
            try:
                for role in roles.values():
                    role.wait_ready()
            except RoleDied as died:
                if _PORT_TAKEN not in str(died) or not any(ports):
                    raise
            else:
                stack.enter_context(trial.pop_all())
                return setting, roles
    raise AssertionError("the last try either returned or raised")


def _roles(setting: Setting, addresses: Addresses, state_dir: Path) -> Iterator[Role]:
    """The sink first: roles end in the other order, so the relay stops while the sink still reads."""
    logs = state_dir / "logs"
    logs.mkdir(exist_ok=True)
    for name in ("sink", "relay"):
        yield Role(name, setting.environment(name, addresses), logs)


def _services(addresses: Addresses) -> dict[str, str]:
    return {
        "database": addresses.database_url,
        "kafka": addresses.kafka_bootstrap_servers,
        "redis": addresses.redis_url,
    }


async def _watched(
    options: Options, console: Console, rounds: Rounds, board: Board, roles: Sequence[Role]
) -> ExitCode:
    """Do the work; stop it as soon as a role dies or nothing can be seen any more."""
    watch = asyncio.create_task(_watch(rounds, board, roles))
    work = asyncio.create_task(_work(options, console, rounds, board))
    try:
        await asyncio.wait({watch, work}, return_when=asyncio.FIRST_COMPLETED)
        for role in roles:
            role.check()  # first: what else failed, failed because of it
        return (work if work.done() else watch).result()
    finally:
        for task in (watch, work):
            task.cancel()
        await asyncio.gather(watch, work, return_exceptions=True)


async def _watch(rounds: Rounds, board: Board, roles: Sequence[Role]) -> ExitCode:
    while True:
        for role in roles:
            role.check()
        await rounds.look()
        board.show()
        await asyncio.sleep(_REFRESH_S)


async def _work(options: Options, console: Console, rounds: Rounds, board: Board) -> ExitCode:
    if options.traffic is None:
        board.phase("up; nothing is sent; Ctrl-C ends it")
        await asyncio.Event().wait()
        return ExitCode.DONE
    verdict = await rounds.send(options.traffic, number=1)
    board.show()
    verdict.tell(console)
    if options.once:
        if options.as_json:
            print(verdict.as_json(), flush=True)  # noqa: T201 - what programs read is this very line
        return ExitCode.DONE if verdict.good else ExitCode.FAILED
    later = replace(options.traffic, count=_LATER_COUNT, manner=_LATER_MANNER)
    console.print("Traffic goes on slowly; Ctrl-C ends everything.")
    for number in count(2):
        verdict = await rounds.send(later, number)
        if not verdict.good:
            verdict.tell(console)
    raise AssertionError("counting has no end")


@contextmanager
def _sigterm_as_sigint() -> Iterator[None]:
    """End on SIGTERM in the very way of Ctrl-C, whoever handles that at the moment."""
    before = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _alone(state_dir: Path) -> Iterator[None]:
    """Two demos on one topic would be counted in each other's verdicts."""
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        lock = (state_dir / "demo.lock").open("w")
    except OSError as error:
        raise RelayError(f"The state directory {state_dir} can't be used: {error.strerror}.") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RelayError(f"A demo runs already in {state_dir}; choose another --state-dir.") from None
        yield
