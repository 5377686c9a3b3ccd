"""A schema registry that speaks Confluent's API: asked for ids and schemas, and registered with if told to.

What it says is told apart by fate. That it does not know an id is an answer; that it does not answer, or
not as a registry does, is an outage: a proxy's page of status 404 must not make poison of good records.

Source: Confluent, "Schema Registry API Reference"; Karapace and Apicurio (`/apis/ccompat/v7`) speak it.
"""

import ssl
import time
from http import HTTPStatus
from pathlib import Path
from typing import Final, Self, TypeVar
from urllib.parse import quote

import httpx
import msgspec
import stamina

from config.errors import RegistryUnavailable, SettingsError
from config.registry_section import SchemaRegistrySettings

MEDIA_TYPE: Final = "application/vnd.schemaregistry.v1+json"
_UNKNOWN: Final = frozenset({40401, 40402, 40403})
"""No such subject, version, schema: the only codes that say that something is not there."""
_MAX_BYTES: Final = 4 * 1024 * 1024
_WAIT_S: Final = 1.0
_IDS: Final = range(2**31)
_SERVER_ERROR: Final = 500

T = TypeVar("T")


class Registered(msgspec.Struct):
    """What the registry tells of a schema that it has."""

    schema: str
    kind: str = msgspec.field(name="schemaType", default="AVRO")


class _Id(msgspec.Struct):
    id: int


class _Verdict(msgspec.Struct):
    is_compatible: bool
    messages: list[str] = []


class _Refusal(msgspec.Struct):
    error_code: int


class _TryAgain(Exception):
    """It may answer yet."""


class Registry:
    """One registry, asked synchronously.

    Args:
        settings: Where it is, how it is proven who asks, and how long that may take.

    Raises:
        SettingsError: A file of certificates can't be used.
    """

    def __init__(self, settings: SchemaRegistrySettings) -> None:
        if settings.url is None:
            raise SettingsError("SCHEMA_REGISTRY_URL: not set")
        self._url, self._attempts, self._timeout_s = settings.url, settings.attempts, settings.timeout_s
        auth = None
        if settings.username is not None and settings.password is not None:
            auth = httpx.BasicAuth(settings.username, settings.password.get_secret_value())
        self._http = httpx.Client(
            headers={"accept": f"{MEDIA_TYPE}, application/json", "accept-encoding": "identity"},
            auth=auth,
            timeout=settings.timeout_s,
            follow_redirects=False,  # what proves us goes there alone
            trust_env=False,
            verify=_context(settings.tls_ca, settings.tls_cert),
        )

    def __enter__(self) -> Self:
        """Be closed at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def schema_of(self, schema_id: int) -> Registered | None:
        """The schema of an id; None if the registry says that it knows none.

        Raises:
            RegistryUnavailable: It does not say.
        """
        return self._asked("GET", f"/schemas/ids/{schema_id}", Registered)

    def id_of(self, subject: str, schema: str) -> int | None:
        """The id under which a subject has this very schema; None if it has it not.

        Raises:
            RegistryUnavailable: It does not say.
        """
        return _id(self._asked("POST", f"/subjects/{_segment(subject)}", _Id, schema))

    def objections(self, subject: str, schema: str) -> list[str]:
        """Why the subject's compatibility does not admit this schema; none if it does.

        Raises:
            RegistryUnavailable: It does not say.
        """
        path = f"/compatibility/subjects/{_segment(subject)}/versions?verbose=true"
        verdict = self._asked("POST", path, _Verdict, schema)
        if verdict is None or verdict.is_compatible:  # nothing registered yet: anything may be the first
            return []
        return verdict.messages or ["it gives no reason"]

    def register(self, subject: str, schema: str) -> int:
        """Register a schema; the id that it has from now on, or has had.

        Raises:
            RegistryUnavailable: It is not registered.
        """
        schema_id = _id(self._asked("POST", f"/subjects/{_segment(subject)}/versions", _Id, schema))
        if schema_id is None:
            raise RegistryUnavailable("the registry says 404 to a registration")
        return schema_id

    def _asked(self, method: str, path: str, kind: type[T], schema: str | None = None) -> T | None:
        body = None if schema is None else msgspec.json.encode({"schema": schema, "schemaType": "AVRO"})
        try:
            for attempt in stamina.retry_context(
                on=_TryAgain, attempts=self._attempts, timeout=None, wait_initial=0.05, wait_max=_WAIT_S
            ):
                with attempt:
                    return self._answer(method, path, kind, body)
        except _TryAgain as error:
            raise RegistryUnavailable(f"the schema registry does not answer: {error}") from None
        raise AssertionError("unreachable: a last attempt raises")

    def _answer(self, method: str, path: str, kind: type[T], body: bytes | None) -> T | None:
        late_s = time.monotonic() + self._timeout_s  # the library's own time-out is for each piece
        headers = {} if body is None else {"content-type": MEDIA_TYPE}
        try:
            with self._http.stream(method, self._url + path, content=body, headers=headers) as response:
                told = b""
                for piece in response.iter_raw():
                    told += piece
                    if time.monotonic() > late_s:
                        raise _TryAgain("too slow")
                    if len(told) > _MAX_BYTES:
                        raise RegistryUnavailable("the schema registry's answer has no end")
        except httpx.HTTPError as error:
            raise _TryAgain(type(error).__name__) from None
        status = response.status_code
        if status >= _SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
            raise _TryAgain(f"status {status}")
        if status == HTTPStatus.NOT_FOUND and _code(told) in _UNKNOWN:
            return None
        if status != HTTPStatus.OK:
            raise RegistryUnavailable(f"the schema registry answers with status {status}")
        try:
            return msgspec.json.decode(told, type=kind)
        except msgspec.MsgspecError:
            raise RegistryUnavailable("the schema registry answers what no registry does") from None


def _code(body: bytes) -> int | None:
    try:
        return msgspec.json.decode(body, type=_Refusal).error_code
    except msgspec.MsgspecError:
        return None


def _id(told: _Id | None) -> int | None:
    if told is not None and told.id not in _IDS:
        raise RegistryUnavailable("the schema registry tells an id that fits into no frame")
    return None if told is None else told.id


def _segment(subject: str) -> str:
    return quote(subject, safe="")


def _context(authorities: Path | None, certificate: Path | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=authorities)
        if certificate is not None:
            context.load_cert_chain(certificate)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"SCHEMA_REGISTRY__TLS_CA or __TLS_CERT can't be used: {error.strerror}"
        ) from None
    return context
