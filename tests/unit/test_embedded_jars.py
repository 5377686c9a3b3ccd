"""Kafka's jars are the pinned ones, or nothing starts."""

import hashlib
import os
from pathlib import Path

import pytest

from config.embedded.jars import (
    KAFKA_VERSION,
    certificates,
    check_space,
    drop_broken,
    pinned,
    resolve,
    verify,
)
from config.errors import RelayError, Unavailable

PINS = {"a.jar": hashlib.sha256(b"a").hexdigest(), "b.jar": hashlib.sha256(b"b").hexdigest()}


@pytest.fixture
def jars(tmp_path: Path) -> Path:
    (tmp_path / "a.jar").write_bytes(b"a")
    (tmp_path / "b.jar").write_bytes(b"b")
    return tmp_path


def test_the_pinned_jars_pass(jars: Path) -> None:
    verify(jars, PINS)


def test_a_jar_that_differs_is_refused_by_name(jars: Path) -> None:
    (jars / "b.jar").write_bytes(b"B")
    with pytest.raises(RelayError, match=r"b\.jar .* differs"):
        verify(jars, PINS)


def test_a_missing_jar_is_refused_by_name(jars: Path) -> None:
    (jars / "a.jar").unlink()
    with pytest.raises(RelayError, match=r"a\.jar is missing"):
        verify(jars, PINS)


def test_a_jar_that_nobody_pinned_is_refused_by_name(jars: Path) -> None:
    """Every jar of the directory is on the class path, so an extra one runs too."""
    (jars / "c.jar").write_bytes(b"c")
    with pytest.raises(RelayError, match=r"c\.jar .* not one of"):
        verify(jars, PINS)


def test_kafkas_own_jars_are_all_of_one_version() -> None:
    """A bill of materials among the dependencies once turned kafka-clients alone into an older one."""
    own = {name for name in pinned() if name.startswith("kafka")}
    assert f"kafka-clients-{KAFKA_VERSION}.jar" in own
    assert all(name.endswith(f"-{KAFKA_VERSION}.jar") for name in own)


def test_what_a_killed_download_left_half_written_is_fetched_again(tmp_path: Path) -> None:
    whole = {"a.jar": b"a", "a.pom": b"<project/>"}
    broken = {"b.jar": b"", "b.pom": b"<project><name>"}
    for name, content in (whole | broken).items():
        (tmp_path / name).write_bytes(content)
    drop_broken(tmp_path, PINS)
    assert {path.name for path in tmp_path.iterdir()} == set(whole)


def test_a_nearly_full_disk_is_told_before_anything_is_written(tmp_path: Path) -> None:
    check_space(tmp_path, needed_bytes=1)
    with pytest.raises(RelayError, match=r"MB free; \d+ MB are needed"):
        check_space(tmp_path, needed_bytes=10**18)


def test_a_first_start_without_a_network_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens on the port of "discard"
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    said: list[str] = []
    with pytest.raises(Unavailable, match="the first start needs the network"):
        resolve(tmp_path / "cache", said.append)


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "PIP_CERT"])
def test_requests_trusts_what_pip_and_openssl_trust(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for other in ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, "/etc/our-own.pem")
    with certificates():
        assert os.environ["REQUESTS_CA_BUNDLE"] == "/etc/our-own.pem"
    assert "REQUESTS_CA_BUNDLE" not in os.environ


def test_a_bundle_meant_for_requests_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/other.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/etc/for-requests.pem")
    with certificates():
        assert os.environ["REQUESTS_CA_BUNDLE"] == "/etc/for-requests.pem"
