"""Any event that the contract allows, for hypothesis."""

from typing import Any

from hypothesis import strategies as st

from schemas.event import (
    MAX_TIME_US,
    MAX_UTC_OFFSET_S,
    MIN_TIME_US,
    RANK,
    STAGES,
    EventType,
    SessionEvent,
    Statistics,
)

STORABLE = st.characters(exclude_characters="\x00", exclude_categories=["Cs"])
MICROS = st.integers(MIN_TIME_US, MAX_TIME_US) | st.sampled_from([MIN_TIME_US, -1, 0, MAX_TIME_US])
_COUNTS = ("waso_count", "sleep_cycle_count")
_INDICES = ("sleep_index", "breathing_index")


def text(most: int) -> st.SearchStrategy[str]:
    return st.text(STORABLE, min_size=1, max_size=most)


def _figure(name: str) -> st.SearchStrategy[float | None]:
    if name in _COUNTS:
        return st.none() | st.integers(0, 2**63 - 1)
    low, high = (
        (-1e9, 1e9) if name in _INDICES else (0.0, 1.0 if name.endswith(("ratio", "efficiency")) else 1e9)
    )
    return st.none() | st.floats(low, high)


STATISTICS = st.builds(Statistics, **{name: _figure(name) for name in Statistics.__struct_fields__})


@st.composite
def events(draw: st.DrawFn) -> SessionEvent:
    """Every field over its whole range."""
    kind = draw(st.sampled_from(EventType))
    session = text(255) if kind in RANK else st.none() | text(255)
    fields: dict[str, st.SearchStrategy[Any]] = {
        "event_id": st.uuids().map(str),
        "source": text(64),
        "tenant": text(64),
        "user_id": text(255),
        "session_id": session,
        "sequence": st.integers(-(2**63), 2**63 - 1),
        "occurred_at": MICROS,
        "received_at": MICROS,
        "normaliser": st.integers(0, 2**31 - 1),
        "session_start_time": st.none() | MICROS,
        "session_end_time": st.none() | MICROS,
        "timezone": st.none() | text(255),
        "utc_offset_seconds": st.none() | st.integers(-MAX_UTC_OFFSET_S, MAX_UTC_OFFSET_S),
        "sleep_stages": st.none() | st.lists(st.sampled_from(sorted(STAGES))).map(bytes),
        "epoch_seconds": st.integers(1, 86_400),
        "statistics": st.none() | STATISTICS,
        "attributes": st.dictionaries(st.text(STORABLE), st.text(STORABLE), max_size=5),
        "raw": st.none() | st.binary(),
    }
    return SessionEvent(type=kind, **draw(st.fixed_dictionaries(fields)))
