"""A source as the settings configure it, made ready once so that a delivery need not look anything up."""

from collections.abc import Sequence
from dataclasses import dataclass

from config.clock import Clock
from config.webhook_sources import Source
from producers.delivery import Normalise
from producers.limits.limit import SourceLimit
from producers.reading import redacting
from producers.redact import Redaction
from producers.schemes.proof import Proof
from producers.sources import VENDORS
from producers.sources.vendor import Challenge, Split
from producers.verify import proof


@dataclass(frozen=True, kw_only=True)
class Intake:
    """One configured source, ready to work."""

    name: str
    tenant: str
    proofs: Sequence[Proof]
    normalise: Normalise
    keep_raw: bool
    takes_token: bool
    """Whether its URL ends with a token."""
    redaction: Redaction
    split: Split | None = None
    max_items: int = 1_000
    challenge: Challenge | None = None
    verification_tokens: Sequence[bytes] = ()
    limit: SourceLimit | None = None

    @classmethod
    def of(
        cls,
        name: str,
        source: Source,
        *,
        keep_raw: bool,
        clock: Clock,
        max_items: int = 1_000,
        limit: SourceLimit | None = None,
    ) -> "Intake":
        """The intake that the settings ask for."""
        vendor = VENDORS[source.vendor]
        redaction = Redaction([*vendor.redact, *source.redact])
        return cls(
            name=name,
            tenant=source.tenant,
            proofs=[proof(scheme, clock) for scheme in source.schemes],
            normalise=redacting(vendor.normalise, redaction),
            keep_raw=keep_raw,
            takes_token=any(scheme.scheme == "url_token" for scheme in source.schemes),
            redaction=redaction,
            split=vendor.split,
            max_items=max_items,
            challenge=vendor.challenge,
            verification_tokens=[token.get_secret_value().encode() for token in source.verification_tokens],
            limit=limit,
        )
