"""One file per vendor: its spellings into one `SessionEvent`."""

from typing import Final

from producers.delivery import Normalise
from producers.sources import asleep, generic

NORMALISERS: Final[dict[str, Normalise]] = {"asleep": asleep.normalise, "generic": generic.normalise}
"""By the `vendor` of a source; each one is pure and raises NotJson or InvalidDelivery."""
