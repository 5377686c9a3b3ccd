"""The schema's versions as files: which are released, which is a draft, and how one becomes the other.

Released is what `ids.json` has an id and a checksum for; its file never changes again, for topics hold
records of it for months. At most one draft follows the last released version.
"""

import json
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Literal

from config.errors import RelayError
from schemas.compatibility import Mode, check
from schemas.versions import PINNED_IDS

OURS: Final = Path(str(files("schemas")))
"""The directory of the versions that this installation has."""
PROMISED: Final = Mode.BACKWARD_TRANSITIVE
"""What every version keeps: it reads all before it."""


class HistoryError(RelayError):
    """Files that are no history, or a step that would spoil one."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One version."""

    number: int
    text: str
    """The file's own."""
    sha256: str
    """Of the file's bytes, in hex."""
    schema_id: int | None
    """Its pinned id; None for a draft."""
    state: Literal["released", "draft", "edited"]
    """`edited`: released, and no longer what was released."""


def read(directory: Path = OURS) -> list[Entry]:
    """All versions in ascending order.

    Raises:
        HistoryError: The files have no order, or one that is released is missing.
    """
    try:
        pinned: dict[str, Any] = json.loads((directory / "ids.json").read_text("utf-8"))
        names = sorted((directory / "session_event").glob("*.avsc"), key=lambda path: int(path.stem))
        entries = [_entry(int(path.stem), path.read_bytes(), pinned.get(path.stem)) for path in names]
    except (OSError, ValueError, KeyError) as error:
        raise HistoryError(f"no history of schemas in {directory}: {type(error).__name__}") from None
    numbers = [entry.number for entry in entries]
    if numbers != list(range(1, len(numbers) + 1)) or {str(number) for number in numbers} < pinned.keys():
        raise HistoryError(f"versions in {directory} are not 1, 2, 3, …, or one that is released is missing")
    drafts = [entry.number for entry in entries if entry.state == "draft"]
    if drafts and drafts != numbers[-1:]:
        raise HistoryError("only the last version may be a draft")
    return entries


def _entry(number: int, content: bytes, pin: dict[str, Any] | None) -> Entry:
    digest = sha256(content).hexdigest()
    state: Literal["released", "draft", "edited"] = "draft"
    if pin is not None:
        state = "released" if pin["sha256"] == digest else "edited"
    return Entry(
        number=number,
        text=content.decode(),
        sha256=digest,
        schema_id=None if pin is None else int(pin["id"]),
        state=state,
    )


def start_next(directory: Path) -> Path:
    """Begin the next version as a copy of the last; returns the file to edit.

    Raises:
        HistoryError: There is a draft already, or the directory can't be written.
    """
    last = read(directory)[-1]
    if last.state == "draft":
        raise HistoryError(f"version {last.number} is a draft already: pin it, or remove it")
    draft = directory / "session_event" / f"{last.number + 1}.avsc"
    try:
        with draft.open("x", encoding="utf-8") as file:
            file.write(last.text)
    except OSError as error:
        raise HistoryError(f"{draft} can't be written: {error.strerror}") from None
    return draft


def pin(directory: Path) -> Entry:
    """Release the draft: give it the next id and note its checksum.

    Raises:
        HistoryError: There is no draft, it changes nothing, or it does not keep what is promised.
    """
    entries = read(directory)
    draft = entries[-1]
    if draft.state != "draft":
        raise HistoryError("there is no draft: `schema new` begins one")
    if len(entries) > 1 and json.loads(entries[-2].text) == json.loads(draft.text):
        raise HistoryError(f"version {draft.number} says what version {draft.number - 1} says")
    edited = [entry.number for entry in entries if entry.state == "edited"]
    if edited or check({entry.number: entry.text for entry in entries}, PROMISED):
        raise HistoryError("not pinned: `schema check` says what is wrong")
    ids = {str(e.number): {"id": PINNED_IDS[e.number - 1], "sha256": e.sha256} for e in entries}
    lines = ",\n".join(f'  "{number}": {json.dumps(entry)}' for number, entry in ids.items())
    (directory / "ids.json").write_text(f"{{\n{lines}\n}}\n", "utf-8")
    return read(directory)[-1]
