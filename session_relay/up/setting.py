"""What one demo runs with: ports, secrets made for it, a tenant of its own."""

import json
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Self

from config.embedded.services import Addresses
from session_relay.simulate.facts import ASLEEP, GENERIC
from session_relay.simulate.sender import Credentials

_HOST: Final = "127.0.0.1"
_CLAIM: Final = "\0session-relay-up"
"""An abstract address (unix(7)): one holder in the very network that has the ports, let go by the kernel."""
_SINK: Final = {"KAFKA__OPTIONS": json.dumps({"session.timeout.ms": 8_000})}
"""For so long, not for 45 s, the sink of a demo that was killed holds its partitions."""


class Ports(NamedTuple):
    """Where the roles are to listen; 0 is a free port, which the role tells by its log."""

    relay: int = 0
    relay_sidecar: int = 0
    sink_sidecar: int = 0


_PREFERRED: Final = Ports(8080, 9101, 9102)


@contextmanager
def preferred_ports() -> Iterator[Ports]:
    """The ports that people know, as far as they are free; for one demo at a time, any other gets none.

    Two that start at once would both see them free.
    """
    with socket.socket(socket.AF_UNIX) as claim:
        try:
            claim.bind(_CLAIM)
        except OSError:
            yield Ports()
        else:
            yield Ports(*(port if _is_free(port) else 0 for port in _PREFERRED))


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One demo's names, ports and secrets; none of them is kept anywhere.

    A tenant of its own sets a run apart from what former runs left in the same table.
    """

    run: str
    ports: Ports
    credentials: dict[str, Credentials]

    @classmethod
    def drawn(cls, ports: Ports) -> Self:
        """Make secrets and names."""
        return cls(
            run=secrets.token_hex(4),
            ports=ports,
            credentials={
                ASLEEP: Credentials(api_key=secrets.token_urlsafe(24), signing_key=secrets.token_urlsafe(32)),
                GENERIC: Credentials(signing_key=secrets.token_urlsafe(32)),
            },
        )

    @property
    def tenant(self) -> str:
        """Whose data this run's events are."""
        return f"demo-{self.run}"

    def environment(self, role: str, addresses: Addresses) -> dict[str, str]:
        """A role's settings."""
        return addresses.environment() | self._own() | (_SINK if role == "sink" else {})

    def _own(self) -> dict[str, str]:
        return {  # by their nested names, which win over flat ones that may be inherited
            "HTTP__HOST": _HOST,
            "HTTP__PORT": str(self.ports.relay),
            "METRICS__HOST": _HOST,
            "METRICS__RELAY_PORT": str(self.ports.relay_sidecar),
            "METRICS__SINK_PORT": str(self.ports.sink_sidecar),
            "METRICS__INTERVAL_S": "2",  # a demo is watched, so its gauges move
            "METRICS__ENABLED": "true",
            "APP__ENVIRONMENT": "development",
            "APP__LOG_FORMAT": "json",  # the log tells the ports
            "APP__LOG_LEVEL": "INFO",
            "SOURCES": json.dumps({name: self._source(name) for name in self.credentials}),
        }

    def _source(self, name: str) -> dict[str, Any]:
        proofs = self.credentials[name]
        told = {"api_key": proofs.api_key, "hmac_sha256": proofs.signing_key}
        schemes = [{"scheme": kind, "secrets": [secret]} for kind, secret in told.items() if secret]
        return {"vendor": name, "tenant": self.tenant, "schemes": schemes}


def _is_free(port: int) -> bool:
    try:
        socket.create_server((_HOST, port)).close()
    except OSError:
        return False
    return True
