"""The limits that the settings ask for; none by default."""

from typing import TYPE_CHECKING

from config.clock import Clock
from config.health import Health
from config.metrics import RELAY_LIMIT_FORGOTTEN
from config.rates import UNLIMITED, Rate
from config.settings import Settings
from producers.limits.client import ClientAddress
from producers.limits.limit import MAX_ADDRESSES, AddressLimit, Limit, SourceLimit

if TYPE_CHECKING:
    from producers.limits.sharing import Sharing


class Limits:
    """All limits of one relay.

    Args:
        settings: Which there are.
        clock: Its monotonic time counts.

    Attributes:
        by_address: The limit of addresses, if there is one.
        by_source: The limits of sources that have one, by the source's name.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        relay = settings.relay
        self._limits: list[Limit] = []
        self.by_address: AddressLimit | None = None
        self.by_source: dict[str, SourceLimit] = {}
        if relay.limit_per_address is not None:
            limit = Limit("address", Rate.of(relay.limit_per_address), clock, MAX_ADDRESSES)
            self.by_address = AddressLimit(limit, ClientAddress(settings.http.trusted_proxies))
            self._limits.append(limit)
        for name, source in settings.sources.items():
            rate = source.limit or relay.limit_per_source
            if rate is not None and rate != UNLIMITED:
                limit = Limit("source", Rate.of(rate), clock, 1)
                self.by_source[name] = SourceLimit(limit, name)
                self._limits.append(limit)

    def sharing(self, settings: Settings, health: Health) -> "Sharing | None":
        """What shares the counts with other relays, if there are any to share and that is wanted."""
        interval_s = settings.relay.limit_share_ms / 1_000
        if not self._limits or not interval_s:
            return None
        from producers.limits.sharing import Sharing  # noqa: PLC0415 - Redis' library is a sixth of a start

        redis = health.dependency("redis", needed=False)
        return Sharing(settings.redis.url.get_secret_value(), self._limits, interval_s, redis)

    def turn(self) -> None:
        """What has to be done every second or so: forget what counts no more."""
        for limit in self._limits:
            limit.counts.sweep()
            if limit.counts.forgotten:
                RELAY_LIMIT_FORGOTTEN.inc(limit.counts.forgotten)
                limit.counts.forgotten = 0
