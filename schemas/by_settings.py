"""The frame to write with and the readers to read with, as the settings say.

A registry's client is imported only where a registry is set: it is a fifth of a sink's start.
"""

from collections.abc import Callable
from contextlib import ExitStack

from config.registry_section import SchemaRegistrySettings
from schemas.codec import PREFIX
from schemas.reader import Read


def writing_frame(settings: SchemaRegistrySettings, topic: str) -> bytes:
    """What stands before each record that is written: see `schemas.foreign.writing_frame`.

    Args:
        settings: Of the registry, if there is one.
        topic: Of the events, which names the subject.

    Raises:
        RegistryUnavailable: It does not answer.
        StoppedForSafety: It does not admit the newest schema.
        SettingsError: It lacks it, and the settings don't say to register it.
    """
    if settings.url is None:
        return PREFIX
    from schemas import foreign  # noqa: PLC0415 - see above

    return foreign.writing_frame(settings, topic)


def foreign_schemas(settings: SchemaRegistrySettings, stack: ExitStack) -> Callable[[int], Read] | None:
    """Readers of the ids that a registry gave out, where there is a registry; it is left with the stack."""
    if settings.url is None:
        return None
    from schemas import foreign  # noqa: PLC0415 - likewise

    return foreign.foreign_schemas(settings, stack)
