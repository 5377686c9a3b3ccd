"""Settings that are told as one JSON text: in a variable, or inside a TOML file's quotes."""

import json

from pydantic import BeforeValidator


def json_text(expected: str) -> BeforeValidator:
    """Read a text as JSON, and leave alone what is no text.

    Args:
        expected: What the setting's problem says if it is no JSON, such as `must be JSON`.
    """

    def parsed(value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError:
            # `from None`: the text may hold secrets, and the library's message may quote it
            raise ValueError(expected) from None

    return BeforeValidator(parsed)
