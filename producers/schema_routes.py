"""The relay's read-only schema registry, so that ordinary Avro tools read the topic without another service.

Answers, media type and error codes are those of Confluent's registry, and it is there only where the
settings name no real one. What is told is public: the versions' texts and their pinned ids.

Source: Confluent, "Schema Registry API Reference".
"""

from typing import Final

import msgspec

from producers.answers import Answer
from schemas.versions import LATEST, VERSIONS

MEDIA_TYPE: Final = "application/vnd.schemaregistry.v1+json"
ENDPOINTS: Final = ("/schemas/ids/", "/subjects")
"""What such a route begins with; both are labels of metrics, whatever follows."""
_SUBJECT, _VERSION, _SCHEMA = 40401, 40402, 40403
_INVALID_VERSION: Final = 42202
_GET: Final = frozenset({"GET", "HEAD"})


class SchemaRoutes:
    """The registry of one topic's values; every good answer is made here, once.

    Args:
        topic: The events' topic: its one subject is `<topic>-value`.
    """

    def __init__(self, topic: str) -> None:
        self._subject = f"{topic}-value"
        versions = {
            version.number: {
                "subject": self._subject,
                "version": version.number,
                "id": version.schema_id,
                "schema": version.text,
            }
            for version in VERSIONS.values()
        }
        named = {str(number): told for number, told in versions.items()}
        named |= dict.fromkeys(("latest", "-1"), versions[LATEST.number])  # clients send either
        route = f"/subjects/{self._subject}/versions"
        good: dict[str, object] = {
            "/subjects": [self._subject],
            route: list(versions),
            **{
                f"/schemas/ids/{version.schema_id}": {"schema": version.text} for version in VERSIONS.values()
            },
            **{f"{route}/{name}": told for name, told in named.items()},
        }
        self._good = {path: _answer(200, told) for path, told in good.items()}

    def answer(self, method: str, path: str) -> Answer | None:
        """What is answered there; None where the path is no registry's."""
        if not path.startswith(ENDPOINTS):
            return None
        if method not in _GET:
            told = _error(405, 405, "HTTP 405 Method Not Allowed", "wrong_method")
            return told._replace(headers=(("allow", "GET, HEAD"),))
        answer = self._good.get(path.rstrip("/")) or self._missing(path.rstrip("/").split("/")[1:])
        return answer if method == "GET" else answer._replace(body=b"")

    def _missing(self, steps: list[str]) -> Answer:
        """Which of the registry's errors it is; what was asked for is not repeated."""
        match steps:
            case ["schemas", "ids", _]:
                return _error(404, _SCHEMA, "Schema not found")
            case ["subjects", subject, "versions", *_] if subject != self._subject:
                return _error(404, _SUBJECT, "Subject not found.")
            case ["subjects", _, "versions", number] if number.isascii() and number.isdigit():
                return _error(404, _VERSION, "Version not found.")
            case ["subjects", _, "versions", _]:
                problem = "The specified version is not a valid version id: a number above zero, or latest."
                return _error(422, _INVALID_VERSION, problem, "invalid")
        return _error(404, 404, "HTTP 404 Not Found")


def _answer(status: int, told: object, reason: str | None = None) -> Answer:
    return Answer(status, MEDIA_TYPE, msgspec.json.encode(told), (), reason)


def _error(status: int, code: int, message: str, reason: str = "not_found") -> Answer:
    return _answer(status, {"error_code": code, "message": message}, reason)
