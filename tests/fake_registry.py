"""A schema registry of our own making: Confluent's published API over HTTP, and misbehaviour on demand.

Subjects, versions, ids and error codes are those of the "Schema Registry API Reference"; compatibility is
BACKWARD, judged by the checker of this project, which has tests of its own.
"""

import base64
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from schemas.compatibility import differences
from schemas.validity import InvalidSchema, parse

FIRST_ID = 4711
Answer = tuple[int, Any]
Misbehaviour = Callable[[BaseHTTPRequestHandler], None]
"""What stands for an answer."""


@dataclass
class FakeRegistry:
    """Its state, and what the next requests meet instead of it."""

    user: tuple[str, str] | None = None
    subjects: dict[str, list[int]] = field(default_factory=dict)
    """Ids by subject, in order of their versions."""
    schemas: dict[int, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    """Method and path of every request."""
    misbehaving: list[Misbehaviour] = field(default_factory=list)
    """One for each of the next requests."""
    always: Misbehaviour | None = None
    url: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    @contextmanager
    def serving(
        cls,
        user: tuple[str, str] | None = None,
        port: int = 0,
        certificate: tuple[Path, Path] | None = None,
    ) -> Iterator[Self]:
        """Serve on a free port or on this one, over TLS with this certificate and its key."""
        fake = cls(user=user)
        server = ThreadingHTTPServer(("127.0.0.1", port), _handler_of(fake))
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="registry")
        thread.start()
        fake.url = f"http{'s' if certificate else ''}://127.0.0.1:{server.server_port}"
        try:
            yield fake
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def add(self, subject: str, schema: str, kind: str = "AVRO") -> int:
        """Register without a question; returns the id."""
        told = {"schema": schema} | ({} if kind == "AVRO" else {"schemaType": kind})
        known = next((number for number, one in self.schemas.items() if one == told), None)
        schema_id = FIRST_ID + len(self.schemas) if known is None else known
        self.schemas[schema_id] = told
        if schema_id not in self.subjects.setdefault(subject, []):
            self.subjects[subject].append(schema_id)
        return schema_id

    def answer(self, method: str, path: str, body: dict[str, Any]) -> Answer:
        """What a registry in order says."""
        steps = [unquote(step) for step in urlsplit(path).path.strip("/").split("/")]
        with self._lock:
            match method, steps:
                case "GET", ["schemas", "ids", number]:
                    known = self.schemas.get(int(number))
                    return (200, known) if known else _error(404, 40403, f"Schema {number} not found")
                case "POST", ["subjects", subject]:
                    return self._looked_up(subject, body["schema"])
                case "POST", ["subjects", subject, "versions"]:
                    return 200, {"id": self.add(subject, body["schema"])}
                case "POST", ["compatibility", "subjects", subject, "versions"]:
                    return self._judged(subject, body["schema"])
        return _error(404, 404, "HTTP 404 Not Found")

    def _looked_up(self, subject: str, schema: str) -> Answer:
        if subject not in self.subjects:
            return _error(404, 40401, f"Subject '{subject}' not found.")
        for version, schema_id in enumerate(self.subjects[subject], start=1):
            if json.loads(self.schemas[schema_id]["schema"]) == json.loads(schema):
                return 200, {"subject": subject, "version": version, "id": schema_id, "schema": schema}
        return _error(404, 40403, "Schema not found")

    def _judged(self, subject: str, schema: str) -> Answer:
        if subject not in self.subjects:
            return _error(404, 40401, f"Subject '{subject}' not found.")
        try:
            reader = parse(schema)
        except InvalidSchema:
            return _error(422, 42201, "Invalid Avro schema")
        last = parse(self.schemas[self.subjects[subject][-1]]["schema"])
        told = [f"{path}: {problem}" for path, problem in differences(reader, last)]
        return 200, {"is_compatible": not told, **({"messages": told} if told else {})}


def _error(status: int, code: int, message: str) -> Answer:
    return status, {"error_code": code, "message": message}


def said(status: int, body: bytes, media_type: str = "text/html", **headers: str) -> Misbehaviour:
    """Some other answer: a proxy's page, a registry that is overloaded, nonsense."""

    def misbehave(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("content-type", media_type)
        request.send_header("content-length", str(len(body)))
        for name, text in headers.items():
            request.send_header(name, text)
        request.end_headers()
        request.wfile.write(body)

    return misbehave


def hung_up(request: BaseHTTPRequestHandler) -> None:
    """The connection ends without an answer."""
    request.close_connection = True


def cut_short(request: BaseHTTPRequestHandler) -> None:
    """The answer ends before its own length."""
    request.send_response(200)
    request.send_header("content-length", "1000")
    request.end_headers()
    request.wfile.write(b'{"schema": "')
    request.close_connection = True


def silent_until(released: threading.Event) -> Misbehaviour:
    """Nothing is answered before this is set."""

    def misbehave(request: BaseHTTPRequestHandler) -> None:
        released.wait(30)
        request.close_connection = True

    return misbehave


def trickled(request: BaseHTTPRequestHandler) -> None:
    """An answer that comes byte by byte, each in time."""
    request.send_response(200)
    request.end_headers()
    request.close_connection = True
    paced = threading.Event()
    try:
        while not paced.wait(0.02):
            request.wfile.write(b" ")
    except OSError:
        pass


def endless(request: BaseHTTPRequestHandler) -> None:
    """An answer without an end."""
    request.send_response(200)
    request.end_headers()
    try:
        while True:
            request.wfile.write(b" " * 65_536)
    except OSError:
        request.close_connection = True


def _handler_of(fake: FakeRegistry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _respond(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(length)) if length else {}
            fake.asked.append(f"{self.command} {self.path}")
            if fake.misbehaving or fake.always is not None:
                (fake.misbehaving.pop(0) if fake.misbehaving else fake.always)(self)  # type: ignore[misc]
                return
            status, told = self._authorized() or fake.answer(self.command, self.path, body)
            said(status, json.dumps(told).encode(), "application/vnd.schemaregistry.v1+json")(self)

        def _authorized(self) -> Answer | None:
            if fake.user is None:
                return None
            wanted = "Basic " + base64.b64encode(":".join(fake.user).encode()).decode()
            return None if self.headers.get("authorization") == wanted else _error(401, 401, "Unauthorized")

        def do_GET(self) -> None:
            self._respond()

        def do_POST(self) -> None:
            self._respond()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            pass

    return Handler
