"""The registry's client: what is an answer, what is an outage, and what goes over the wire."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from config.errors import ExitCode, RegistryUnavailable, SettingsError
from config.registry_section import SchemaRegistrySettings
from schemas.registry import Registered, Registry
from schemas.versions import VERSIONS
from tests.certificates import issue
from tests.fake_registry import (
    FIRST_ID,
    FakeRegistry,
    Misbehaviour,
    cut_short,
    endless,
    hung_up,
    said,
    silent_until,
    trickled,
)

SUBJECT = "session.events-value"
ONE, TWO = VERSIONS[1].text, VERSIONS[2].text


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry.serving() as serving:
        yield serving


def client(fake: FakeRegistry, **told: Any) -> Registry:
    return Registry(SchemaRegistrySettings(url=fake.url, **{"timeout_s": 5, **told}))


def test_a_schema_is_found_by_its_id(fake: FakeRegistry) -> None:
    schema_id = fake.add(SUBJECT, ONE)
    other = fake.add("other", "message M {}", kind="PROTOBUF")
    with client(fake) as registry:
        assert registry.schema_of(schema_id) == Registered(ONE)
        assert registry.schema_of(other) == Registered("message M {}", "PROTOBUF")
        assert registry.schema_of(99) is None


def test_an_id_is_found_by_its_schema_and_registered(fake: FakeRegistry) -> None:
    with client(fake) as registry:
        assert registry.id_of(SUBJECT, ONE) is None
        assert registry.objections(SUBJECT, ONE) == []
        assert registry.register(SUBJECT, ONE) == FIRST_ID
        assert registry.id_of(SUBJECT, ONE) == FIRST_ID
        assert registry.id_of(SUBJECT, TWO) is None
        assert registry.objections(SUBJECT, TWO) == []
        assert registry.register(SUBJECT, TWO) == FIRST_ID + 1


def test_what_is_not_compatible_is_told_with_reasons(fake: FakeRegistry) -> None:
    narrowed = json.loads(ONE)
    narrowed["fields"][0]["type"] = "int"
    fake.add(SUBJECT, ONE)
    with client(fake) as registry:
        (objection, *_) = registry.objections(SUBJECT, json.dumps(narrowed))
    assert "type mismatch" in objection


def test_a_subject_may_have_any_name(fake: FakeRegistry) -> None:
    with client(fake) as registry:
        registry.register(":.ctx:a/b?c#d é", ONE)
    assert list(fake.subjects) == [":.ctx:a/b?c#d é"]


OUTAGES: dict[str, Misbehaviour] = {
    "server error": said(500, b'{"error_code": 50001, "message": "x"}'),
    "unavailable": said(503, b""),
    "a server error that says not found": said(500, b'{"error_code": 40403}'),
    "too many": said(429, b"", **{"retry-after": "1"}),
    "a proxy's 404": said(404, b"<html>not here</html>"),
    "a 404 of no such route": said(404, b'{"error_code": 404, "message": "HTTP 404 Not Found"}'),
    "a 404 of another kind": said(404, b'{"error_code": "40403"}'),
    "not allowed": said(401, b'{"error_code": 401}'),
    "forbidden": said(403, b'{"error_code": 40301}'),
    "a redirect": said(302, b"", location="http://127.0.0.1:1/elsewhere"),
    "a page": said(200, b"<html>welcome</html>"),
    "a list": said(200, b"[]"),
    "a number": said(200, b'{"schema": 7}'),
    "nothing": said(200, b""),
    "hung up": hung_up,
    "cut short": cut_short,
    "endless": endless,
}


@pytest.mark.parametrize("outage", OUTAGES.values(), ids=OUTAGES)
def test_whatever_is_no_registrys_answer_is_an_outage_and_never_unknown(
    fake: FakeRegistry, outage: Misbehaviour
) -> None:
    fake.always = outage
    with client(fake, attempts=2) as registry, pytest.raises(RegistryUnavailable) as away:
        registry.schema_of(1)
    assert away.value.exit_code is ExitCode.UNREACHABLE


@pytest.mark.parametrize("passing", [hung_up, cut_short, OUTAGES["unavailable"], OUTAGES["too many"]])
def test_what_passes_is_tried_again(fake: FakeRegistry, passing: Misbehaviour) -> None:
    schema_id = fake.add(SUBJECT, ONE)
    fake.misbehaving = [passing, passing]
    with client(fake, attempts=3) as registry:
        assert registry.schema_of(schema_id) is not None
    assert len(fake.asked) == 3


def test_what_was_answered_is_not_tried_again(fake: FakeRegistry) -> None:
    fake.always = said(403, b"")
    with client(fake, attempts=5) as registry, pytest.raises(RegistryUnavailable):
        registry.schema_of(1)
    assert len(fake.asked) == 1


def test_silence_is_an_outage_after_the_time_out(fake: FakeRegistry) -> None:
    released = threading.Event()
    fake.always = silent_until(released)
    with (
        client(fake, attempts=2, timeout_s=0.1) as registry,
        pytest.raises(RegistryUnavailable, match="ReadTimeout"),
    ):
        registry.schema_of(1)
    released.set()


def test_an_answer_that_trickles_is_an_outage_after_the_time_out(fake: FakeRegistry) -> None:
    fake.always = trickled
    with (
        client(fake, attempts=1, timeout_s=0.3) as registry,
        pytest.raises(RegistryUnavailable, match="slow"),
    ):
        registry.schema_of(1)


def test_nobody_there_is_an_outage() -> None:
    with FakeRegistry.serving() as gone:
        pass
    with client(gone, attempts=1) as registry, pytest.raises(RegistryUnavailable, match="ConnectError"):
        registry.schema_of(1)


@pytest.mark.parametrize("schema_id", [-1, 2**31, 1.5, "7"])
def test_an_id_that_fits_into_no_frame_is_an_outage(fake: FakeRegistry, schema_id: object) -> None:
    fake.always = said(200, json.dumps({"id": schema_id}).encode())
    with client(fake) as registry, pytest.raises(RegistryUnavailable):
        registry.id_of(SUBJECT, ONE)


def test_a_user_is_proven_and_never_told(caplog: pytest.LogCaptureFixture) -> None:
    with FakeRegistry.serving(user=("relay", "a-password")) as fake:
        schema_id = fake.add(SUBJECT, ONE)
        with client(fake, username="relay", password=SecretStr("a-password")) as registry:
            assert registry.schema_of(schema_id) is not None
        with (
            client(fake, username="relay", password=SecretStr("a-wrong-one")) as registry,
            pytest.raises(RegistryUnavailable, match="401") as refused,
        ):
            registry.schema_of(schema_id)
    assert "a-wrong-one" not in f"{refused.value!r}{caplog.text}"


def test_a_certificate_is_checked_against_the_authorities_named(tmp_path: Path) -> None:
    certificate = issue(tmp_path, "registry")
    with FakeRegistry.serving(certificate=certificate) as fake:
        schema_id = fake.add(SUBJECT, ONE)
        with client(fake, tls_ca=certificate[0]) as registry:
            assert registry.schema_of(schema_id) is not None
        with client(fake, attempts=1) as registry, pytest.raises(RegistryUnavailable, match="ConnectError"):
            registry.schema_of(schema_id)


def test_files_of_certificates_that_cannot_be_used_are_told_at_once(tmp_path: Path) -> None:
    bad = tmp_path / "bad.pem"
    bad.write_text("no certificate")
    for told in ({"tls_ca": bad}, {"tls_cert": bad}, {"tls_ca": tmp_path / "absent.pem"}):
        with pytest.raises(SettingsError, match="SCHEMA_REGISTRY__TLS"):
            Registry(SchemaRegistrySettings.model_validate({"url": "https://127.0.0.1:1", **told}))
