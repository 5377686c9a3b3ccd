import pytest

from config.redaction import REDACTED, is_sensitive, redact, redact_text


@pytest.mark.parametrize(
    "name",
    [
        "user_id", "userId", "session_id", "X-Api-Key", "x-signature", "Authorization", "token", "secret",
        "secrets", "password", "DB_PASSWORD", "body", "raw", "database_url", "DATABASE_URL", "redis_url",
        "key", "cookie", "ssl.key.password", "sasl.jaas.config", "headers", "record",
    ],
)  # fmt: skip
def test_secrets_and_personal_fields_are_known_by_name(name: str) -> None:
    assert is_sensitive(name)
    assert redact(None, "info", {name: "v"}) == {name: REDACTED}


@pytest.mark.parametrize(
    "name", ["event", "event_id", "port", "partition", "source", "duration_ms", "request_id", "linger.ms"]
)
def test_other_fields_are_shown(name: str) -> None:
    assert redact(None, "info", {name: "v"}) == {name: "v"}


def test_fields_are_looked_through_at_any_depth() -> None:
    line = {"a": [{"b": ({"userId": "u", "n": 1},)}], "absent_token": None}
    assert redact(None, "info", line) == {"a": [{"b": [{"userId": REDACTED, "n": 1}]}], "absent_token": None}


def test_what_nests_too_deeply_is_left_out() -> None:
    deep: dict[str, object] = {"leaf": "hidden"}
    for _ in range(100):
        deep = {"a": deep}
    assert "hidden" not in str(redact(None, "info", deep))


def test_bytes_are_counted_and_not_shown() -> None:
    assert redact(None, "info", {"data": b"abc"}) == {"data": "[3 bytes]"}


def test_errors_and_other_objects_are_told_without_secrets() -> None:
    error = ValueError("postgresql://u:hunter2@h/x")
    line = {"error": error}
    assert redact(None, "info", line) == {"error": f"ValueError: postgresql://u:{REDACTED}@h/x"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("at redis://:hunter2@h:1/0 now", f"at redis://:{REDACTED}@h:1/0 now"),
        ("postgresql://u:p@ss/w@h/x", f"postgresql://u:{REDACTED}@h/x"),
        ("host=h password=hunter2 user=u", f"host=h password={REDACTED} user=u"),
        ("Bearer abcdefgh.ijkl", f"Bearer {REDACTED}"),
        ("broken\nDETAIL:  Key (user_id)=(bob)\nHINT: x", f"broken\nDETAIL: {REDACTED}\nHINT: x"),
        ("broken\nCONTEXT:  COPY s, line 1: bob", f"broken\nCONTEXT: {REDACTED}"),
        ("broken\nDETAIL:  Failing row (a\nbob, null).\nHINT: x", f"broken\nDETAIL: {REDACTED}\nHINT: x"),
        ("  | broken\n  | DETAIL:  Key=(bob)\n  +----", f"  | broken\n  | DETAIL: {REDACTED}\n  +----"),
        (
            "DETAIL:  (bob\nby)\n\nThe above exception was\nTraceback (most",
            f"DETAIL: {REDACTED}\nThe above exception was\nTraceback (most",
        ),
        ("https://h:8080/path", "https://h:8080/path"),
        ("nothing secret", "nothing secret"),
    ],
)
def test_sentences_lose_passwords_tokens_and_quoted_rows(text: str, expected: str) -> None:
    assert redact_text(text) == expected
