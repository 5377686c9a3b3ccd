"""Asleep's commonest delivery by a shorter way: an inference in the documented spelling, nothing unusual.

A night brings a hundred of them for each session that ends. Taking one apart fact by fact, prepared for
every spelling and every mistake, takes three times as long. What is the least unusual is left to that way; a
property test holds the two together.
"""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Raw

from producers.delivery import Context
from producers.sources.event import UNIDENTIFIED, identified
from producers.sources.facts import STAGE_DIGITS, STAGE_OF_DIGIT
from schemas.event import Count, EventType, Identifier, SessionEvent

_ABSENT: Final = Raw(b"null")
_DIGITS: Final = b"0123456789-"
_Whole = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


class _Data(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """What Asleep's documentation shows of an inference; lists stay as they were written."""

    user_id: Identifier
    session_id: Identifier
    inference_seq_num: Count
    sleep_stages: Raw
    seq_num: _Whole | None = None
    breath_stages: Raw = _ABSENT
    snoring_stages: Raw = _ABSENT


class _Inference(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    event: Literal["INFERENCE_COMPLETE"]
    data: _Data
    version: str | None = None


_read: Final = msgspec.json.Decoder(_Inference).decode


def plain_inference(body: bytes, context: Context, normaliser: int) -> SessionEvent | None:
    r"""Read an inference.

    Args:
        body: Its bytes.
        context: Where and when it came in.
        normaliser: Version of the vendor's normaliser.

    Returns:
        The event; None if anything about it is unusual, or wrong.
    """
    if b"\\" in body:  # an escape may stand for what can't be stored
        return None
    try:
        told = _read(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    data = told.data
    stages, attributes = _listed(data.sleep_stages), _attributes(told)
    if stages is None or attributes is None or not set(context.claimed_user_ids) <= {data.user_id}:
        return None
    digits = stages[1::2]
    if digits.translate(None, STAGE_DIGITS):
        return None
    event = SessionEvent(
        event_id=UNIDENTIFIED,
        source=context.source,
        tenant=context.tenant,
        type=EventType.INFERENCE_COMPLETE,
        user_id=data.user_id,
        session_id=data.session_id,
        sequence=data.inference_seq_num,
        received_at=context.received_at_us,
        normaliser=normaliser,
        sleep_stages=digits.translate(STAGE_OF_DIGIT),
        attributes=attributes,
        raw=body if context.keep_raw else None,
    )
    return identified(event)


def _attributes(told: _Inference) -> dict[str, str] | None:
    """What is no fact, as texts; None if a list is not of digits alone."""
    data, attributes = told.data, {}
    if told.version is not None:
        attributes["version"] = told.version
    if data.seq_num is not None:
        attributes["seq_num"] = str(data.seq_num)
    for name, written in (("snoring_stages", data.snoring_stages), ("breath_stages", data.breath_stages)):
        if written != _ABSENT:
            if _listed(written) is None:
                return None
            attributes[name] = bytes(written).replace(b" ", b"").decode()
    return attributes


def _listed(written: Raw) -> bytes | None:
    """A list of single digits and -1: a comma and a character for each, - for -1; None if it is no such."""
    told = bytes(written).replace(b" ", b"")
    if told[:1] != b"[":
        return None
    listed = b"," + told[1:-1].replace(b"-1", b"-") if told != b"[]" else b""
    if listed[::2] != b"," * (len(listed) // 2) or listed[1::2].translate(None, _DIGITS):
        return None
    return listed
