"""Today's normalisers, for events that were read by former ones: producers' knowledge in consumers' hands."""

from config.clock import SystemClock
from config.settings import Settings
from consumers.replay.renormalising import Renormalise
from producers.delivery import Context, Refusal
from producers.intake import Intake
from producers.redact import ATTRIBUTE
from schemas.event import SessionEvent


def renormaliser(settings: Settings) -> Renormalise:
    """A function that reads an event's `raw` as the source that it came by would read it today.

    A source that is not configured any more, an item that does not tell in which list of its delivery it
    stood, and bytes that are refused today give None.
    """
    clock = SystemClock()
    intakes = {
        name: Intake.of(name, source, keep_raw=True, clock=clock) for name, source in settings.sources.items()
    }

    def renormalise(event: SessionEvent) -> SessionEvent | None:
        intake = intakes.get(event.source)
        part = event.attributes.get("summary_type", "")
        if intake is None or event.raw is None or (intake.split is not None and not part):
            return None
        context = Context(event.source, event.tenant, event.received_at, True, (event.user_id,), part)
        try:
            events = intake.normalise(event.raw, context)
        except Refusal:
            return None
        same = (event.type, event.session_id, event.sequence)
        matching = [one for one in events if (one.type, one.session_id, one.sequence) == same]
        told = next(iter(matching or events), None) if matching or len(events) == 1 else None
        if told is not None and ATTRIBUTE in event.attributes:
            told.attributes[ATTRIBUTE] = event.attributes[ATTRIBUTE]
        return told

    return renormalise
