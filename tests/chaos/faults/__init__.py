"""Every kind of fault; a new one is a generator in the file of what it lays hands on."""

from tests.chaos.fault import FAULTS
from tests.chaos.faults import log, relay, services, sink, wires

__all__ = ["FAULTS", "log", "relay", "services", "sink", "wires"]
