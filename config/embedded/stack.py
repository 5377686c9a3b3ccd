"""All services of one state directory, as the keeper's children."""

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from config.embedded.jars import KAFKA_VERSION
from config.embedded.kafka import Cluster, new_cluster_id
from config.embedded.owner import Owner
from config.embedded.postgres import Postgres, choose_home, choose_install
from config.embedded.processes import Child, Launch, end, identify, kill, spawn
from config.embedded.redis import Redis
from config.embedded.state import State, choose_ports, end_leftovers, load, save
from config.errors import RelayError, Unavailable

READY_WITHIN_S: Final = 60.0
_LOOK_EVERY_S: Final = 0.02


class Service(NamedTuple):
    """What is asked of each service."""

    launch: Callable[[], Launch]
    is_ready: Callable[[], bool]


class Stack:
    """Starts, restarts and ends the services, and writes down each as it comes and goes.

    Args:
        state_dir: Absolute; its lock is held.
        brokers: 1 or 3.
        jars: Kafka's, verified.
        sustained: Kafka will carry load for long.
        owner: Told what people should know; its end interrupts a start.
    """

    def __init__(self, state_dir: Path, brokers: int, jars: Path, owner: Owner, *, sustained: bool) -> None:
        self._directory = state_dir
        self._owner = owner
        self._children: dict[str, Child] = {}
        self._state = _remember(state_dir, brokers, owner.say)
        ports, nodes = self._state.ports, range(1, brokers + 1)
        self._kafka = Cluster(
            directory=state_dir,
            jars=jars,
            cluster_id=self._state.cluster_id,
            ports=tuple((ports[f"kafka-{n}"], ports[f"kafka-{n}-controller"]) for n in nodes),
            sustained=sustained,
        )
        home = Path(self._state.postgres_dir)
        install = choose_install(home, owner.say)
        self._postgres = Postgres(home=home, install=install, port=ports["postgres"])
        redis = Redis(home=state_dir / "redis", port=ports["redis"])
        self._services = {
            f"kafka-{n}": Service(partial(self._kafka.launch, n), partial(self._kafka.is_ready, n))
            for n in nodes
        }
        self._services["postgres"] = Service(self._postgres.launch, self._postgres.is_ready)
        self._services["redis"] = Service(redis.launch, redis.is_ready)
        self._state.versions = {
            "kafka": KAFKA_VERSION,
            "postgres": self._postgres.version(),
            "redis": redis.version(),
        }

    def start(self) -> None:
        """Start everything and wait until it can be used; Kafka, the slowest, first.

        Raises:
            Unavailable: One of them ended or was not ready in time.
            Ended: The owner is gone.
        """
        self._kafka.prepare()
        for name in self._services:
            if name == "postgres":
                self._postgres.prepare()  # while Kafka starts
            self._spawn(name)
        for name in reversed(self._services):
            self._await(name)
        self._state.ready = True
        save(self._directory, self._state)

    def restart(self, name: str) -> None:
        """Start one service again, on its port and its data.

        Raises:
            RelayError: There is no such service, or it runs already.
            Unavailable: It ended or was not ready in time.
        """
        self._known(name)
        self.bury()
        if name in self._children:
            raise RelayError(f"{name} runs already.")
        self._spawn(name)
        self._await(name)

    def stop(self, name: str, *, now: bool) -> None:
        """Stop one service: in order, or (`now`) by `kill -9` of all its processes.

        Raises:
            RelayError: There is no such service.
        """
        self._known(name)
        if name in self._children:
            identity = self._state.services[name]
            if now:
                kill(identity)
            else:
                end([identity])
        self.bury()

    def end(self) -> None:
        """Stop everything, all at once."""
        self._state.ready = False
        save(self._directory, self._state)
        end(list(self._state.services.values()))
        self.bury()
        self._state.keeper = None
        save(self._directory, self._state)

    def bury(self) -> None:
        """Note children that have ended, by whatever cause."""
        for name, child in list(self._children.items()):
            if child.process.poll() is not None:
                del self._children[name]
                del self._state.services[name]
                save(self._directory, self._state)

    def _known(self, name: str) -> None:
        if name not in self._services:
            raise RelayError(f"There is no service {name}, only {', '.join(self._services)}.")

    def _spawn(self, name: str) -> None:
        child = spawn(self._services[name].launch())
        self._children[name] = child
        identity = identify(child.process.pid)
        if identity is None:
            child.process.wait()
            raise child.failure()
        self._state.services[name] = identity
        save(self._directory, self._state)

    def _await(self, name: str) -> None:
        child = self._children[name]
        deadline_s = time.monotonic() + READY_WITHIN_S
        while not self._services[name].is_ready():
            if child.process.poll() is not None:
                raise child.failure()
            if time.monotonic() > deadline_s:
                raise Unavailable(
                    f"{name} was not ready within {READY_WITHIN_S:.0f} s; see {child.launch.log}."
                )
            self._owner.pause(_LOOK_EVERY_S)


def _remember(home: Path, brokers: int, say: Callable[[str], None]) -> State:
    """Begin from what the last run left: end its processes, keep its data and, where free, its ports."""
    old = load(home)
    if old and old.brokers != brokers:
        raise RelayError(
            f"{home} holds a cluster of {old.brokers}, not of {brokers}: choose another state directory."
        )
    if old:
        end_leftovers(old, say)
    state = old or State(brokers=brokers, cluster_id=new_cluster_id())
    state.postgres_dir = str(choose_home(state, home, say))
    state.services, state.ready, state.keeper = {}, False, identify(os.getpid())
    nodes = [f"kafka-{node}" for node in range(1, brokers + 1)]
    choose_ports(state, [*nodes, *(f"{node}-controller" for node in nodes), "postgres", "redis"], say)
    save(home, state)
    return state
