"""Taking out of a body what must not be kept, before anything is read of it.

A path is names joined by dots: `user.email`. A `*` stands for any name, and a step into a list goes into
each of its elements. `callback.?token` at the end takes one parameter out of the URL that stands there.
What is taken out becomes null, which tells nothing; all other bytes stay as they came.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Raw

from config.redaction import REDACTED
from config.webhook_sources import URL_PARAMETER
from producers.sources.json_object import MAX_DEPTH, members

_object: Final = msgspec.json.Decoder(dict[str, Raw]).decode
_list: Final = msgspec.json.Decoder(list[Raw]).decode
_text: Final = msgspec.json.Decoder(str).decode
_to_json: Final = msgspec.json.Encoder().encode
_NULL: Final = b"null"

ATTRIBUTE: Final = "raw.redacted"
"""The attribute that tells which paths were taken out of an event's `raw`, joined by commas."""


class Unreadable(Exception):
    """The body can't be taken apart, so nobody can say what it holds."""


class Redaction:
    """A source's paths, ready to work.

    Args:
        paths: As in a source's `redact`.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self._paths = [(path, path.split(".")) for path in dict.fromkeys(paths)]

    def __bool__(self) -> bool:
        """Whether there is anything to take out."""
        return bool(self._paths)

    def apply(self, body: bytes) -> tuple[bytes, list[str]]:
        """The body without what the paths lead to, and the paths that led to something.

        Raises:
            Unreadable: It is no JSON, or nested too deeply.
        """
        found = []
        try:
            for path, steps in self._paths:
                rest = _without(body, steps)
                if rest is not None:
                    body = rest
                    found.append(path)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Unreadable from None
        return body, found


def _without(value: bytes, steps: Sequence[str], levels: int = MAX_DEPTH) -> bytes | None:
    """The value without what the steps lead to; None if they lead nowhere."""
    if not levels:  # each level is looked through again: what nobody will read must not cost its square
        raise Unreadable
    if not steps:
        return _NULL  # also where it is null already: the name may stand there twice
    first = value.lstrip()[:1]
    if first == b"[":
        elements = _list(value)
        changed = {
            index: rest
            for index, element in enumerate(elements)
            if (rest := _without(bytes(element), steps, levels - 1)) is not None
        }
        kept = [Raw(changed[i]) if i in changed else element for i, element in enumerate(elements)]
        return _to_json(kept) if changed else None
    if steps[0].startswith(URL_PARAMETER):
        return _without_parameter(value, steps[0].removeprefix(URL_PARAMETER))
    if first != b"{":
        return None
    fields, hit = _object(value), False
    entered = list(fields) if steps[0] == "*" else [steps[0]] if steps[0] in fields else []
    for name in entered:
        if (rest := _without(bytes(fields[name]), steps[1:], levels - 1)) is not None:
            fields[name], hit = Raw(rest), True
    return _to_json(fields) if hit or (entered and _repeats(value, fields, steps[0])) else None


def _repeats(value: bytes, fields: Mapping[str, object], name: str) -> bool:
    """Whether the object has this member, or any, twice: only the last was searched, so no other may stay."""
    if value.count(b":") <= len(fields):
        return False
    if name != "*" and b"\\" not in value and value.count(_to_json(name)) == 1:
        return False
    try:
        names = [found for found, _ in members(value)]
    except (ValueError, RecursionError):  # nobody can say
        return True
    return len(names) > len(fields) if name == "*" else names.count(name) > 1


def _without_parameter(value: bytes, name: str) -> bytes | None:
    if not value.startswith(b'"'):
        return None
    url = _text(value)
    clean = re.sub(rf"(?<=[?&;]){re.escape(name)}=[^&;#]*", f"{name}={REDACTED}", url, flags=re.IGNORECASE)
    return None if clean == url else _to_json(clean)
