"""What one demo runs with: free ports, secrets made for it, a tenant of its own."""

import json
import secrets
import socket
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final, Self

from config.embedded.services import Addresses
from session_relay.simulate.facts import ASLEEP, GENERIC
from session_relay.simulate.sender import Credentials

_HOST: Final = "127.0.0.1"
_PORTS: Final = (8080, 9101, 9102)
"""The relay's public port and the sidecars' of relay and sink, taken where they are free."""
_SINK: Final = {"KAFKA__OPTIONS": json.dumps({"session.timeout.ms": 8_000})}
"""For so long, not for 45 s, the sink of a demo that was killed holds its partitions."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One demo's names, ports and secrets; none of them is kept anywhere.

    A tenant of its own sets a run apart from what former runs left in the same table.
    """

    run: str
    relay_port: int
    relay_sidecar_port: int
    sink_sidecar_port: int
    credentials: dict[str, Credentials]

    @classmethod
    def drawn(cls) -> Self:
        """Find free ports and make secrets."""
        relay, relay_sidecar, sink_sidecar = _free_ports()
        return cls(
            run=secrets.token_hex(4),
            relay_port=relay,
            relay_sidecar_port=relay_sidecar,
            sink_sidecar_port=sink_sidecar,
            credentials={
                ASLEEP: Credentials(api_key=secrets.token_urlsafe(24), signing_key=secrets.token_urlsafe(32)),
                GENERIC: Credentials(signing_key=secrets.token_urlsafe(32)),
            },
        )

    @property
    def tenant(self) -> str:
        """Whose data this run's events are."""
        return f"demo-{self.run}"

    @property
    def relay_url(self) -> str:
        """Where webhooks go."""
        return f"http://{_HOST}:{self.relay_port}"

    def sidecar_url(self, role: str) -> str:
        """Where a role shows its health and its metrics."""
        port = {"relay": self.relay_sidecar_port, "sink": self.sink_sidecar_port}[role]
        return f"http://{_HOST}:{port}"

    def environment(self, role: str, addresses: Addresses) -> dict[str, str]:
        """A role's settings."""
        return addresses.environment() | self._own() | (_SINK if role == "sink" else {})

    def _own(self) -> dict[str, str]:
        return {
            "API_HOST": _HOST,
            "API_PORT": str(self.relay_port),
            "METRICS__HOST": _HOST,
            "METRICS__RELAY_PORT": str(self.relay_sidecar_port),
            "METRICS__SINK_PORT": str(self.sink_sidecar_port),
            "METRICS__INTERVAL_S": "2",  # a demo is watched, so its gauges move
            "ENABLE_METRICS": "true",
            "ENVIRONMENT": "development",
            "APP__LOG_FORMAT": "json",
            "SOURCES": json.dumps({name: self._source(name) for name in self.credentials}),
        }

    def _source(self, name: str) -> dict[str, Any]:
        proofs = self.credentials[name]
        told = {"api_key": proofs.api_key, "hmac_sha256": proofs.signing_key}
        schemes = [{"scheme": kind, "secrets": [secret]} for kind, secret in told.items() if secret]
        return {"vendor": name, "tenant": self.tenant, "schemes": schemes}


def _free_ports() -> list[int]:
    """A free port for each wanted one, that very one if it is free; all are held until all are found."""
    with ExitStack() as held:
        return [held.enter_context(_listening(wanted)).getsockname()[1] for wanted in _PORTS]


def _listening(wanted: int) -> socket.socket:
    try:
        return socket.create_server((_HOST, wanted))
    except OSError:
        return socket.create_server((_HOST, 0))
