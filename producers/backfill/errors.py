"""Why a backfill stops, or leaves a user behind; no text holds an id, a key or a vendor's own words."""

from config.errors import SettingsError, Unavailable


class VendorAway(Unavailable):
    """The vendor has given no good answer for too long."""


class KafkaAway(Unavailable):
    """Kafka has acknowledged nothing for too long."""


class KeyRefused(SettingsError):
    """The vendor does not take the key, or not any more."""


class WrongAddress(SettingsError):
    """What answers is not the vendor's API."""


class RequestFailed(Exception):
    """One request has no good answer, however often it is made: its user is left for a later run."""


class Deferred(Exception):
    """A probe of the vendor failed: is it away, or does it choke on this user? Others are to try first."""


class Absent(Exception):
    """The vendor has no such user, or no such session."""
