import json
from typing import Any

import pytest
from pydantic import ValidationError

from config.webhook_sources import Source
from producers.delivery import InvalidDelivery, NotJson
from producers.reading import redacting
from producers.redact import Redaction, Unreadable
from producers.sources import generic
from tests.deliveries import as_body, context, generic_session


def clean(body: bytes, *paths: str) -> bytes:
    return Redaction(paths).apply(body)[0]


@pytest.mark.parametrize(
    ("path", "body", "left"),
    [
        ("a", b'{"a" : 1, "b": 1.50}', b'{"a":null,"b":1.50}'),
        ("a.b", b'{"a":{"b":"x","c":[1 , 2]}}', b'{"a":{"b":null,"c":[1 , 2]}}'),
        ("a.b", b'{"a":[{"b":1},{"c":2},[{"b":3}],4]}', b'{"a":[{"b":null},{"c":2},[{"b":null}],4]}'),
        ("*.b", b'{"a":{"b":1},"c":{"b":2},"d":3}', b'{"a":{"b":null},"c":{"b":null},"d":3}'),
        ("a.*", b'{"a":{"b":1,"c":2}}', b'{"a":{"b":null,"c":null}}'),
        ("a", b'{"\\u0061":"x"}', b'{"a":null}'),
        ("a", b'{"a":"x","a":null}', b'{"a":null}'),
        ("a", b'[{"a":1}]', b'[{"a":null}]'),
        ("a.b", b'{"a":{"b":"x"},"c":1,"a":{}}', b'{"a":{},"c":1}'),
        ("a.b", b'{"a":{"b":"x"},"a":1}', b'{"a":1}'),
        ("a.b", b'{"\\u0061":{"b":"x"},"a":null}', b'{"a":null}'),
        ("*.b", b'{"a":{"b":"x"},"a":{}}', b'{"a":{}}'),
        ("a.?token", b'{"a":"https://h/?token=s","a":"https://h/"}', b'{"a":"https://h/"}'),
        ("a.?token", b'{"a":["https://h/?token=s",[1]]}', b'{"a":["https://h/?token=[redacted]",[1]]}'),
        (
            "a.?token",
            b'{"a":"https://h/p?x=1&token=s&y=2#z"}',
            b'{"a":"https://h/p?x=1&token=[redacted]&y=2#z"}',
        ),
        ("a.?token", b'{"a":"https://h/?TOKEN=s"}', b'{"a":"https://h/?token=[redacted]"}'),
    ],
)
def test_what_the_path_leads_to_is_taken_out_and_all_else_stays(path: str, body: bytes, left: bytes) -> None:
    assert Redaction([path]).apply(body) == (left, [path])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("a", b' {"b" : 1}\n'),
        ("a.b", b'{"a": 1}'),
        ("a.b", b'{"a": "b"}'),
        ("a", b"7"),
        ("a.?token", b'{"a": "https://h/?broken=1"}'),
        ("a.?token", b'{"a": 7}'),
        ("a.b", b'{"a": {"c": "\\"a\\""}, "d": 1, "d": 2}'[:-9] + b"}"),
        ("a.b", b'{"x": {"a": 1}, "a": {"c": 1}}'),
        ("a.b", b'{"x": 1, "x": 2, "a": {"c": "\\n"}}'),
    ],
)
def test_a_path_that_leads_nowhere_changes_no_byte(path: str, body: bytes) -> None:
    assert Redaction([path]).apply(body) == (body, [])


def test_several_paths_are_all_told() -> None:
    assert Redaction(["a", "x", "b", "a"]).apply(b'{"a":1,"b":2}') == (b'{"a":null,"b":null}', ["a", "b"])


@pytest.mark.parametrize("body", [b"{", b'{"a":{]}', b'{"b":' * 100_000, b"[" * 70 + b"]" * 70])
def test_what_is_no_json_is_not_called_clean(body: bytes) -> None:
    with pytest.raises(Unreadable):
        clean(body, "a.b")


def test_an_event_never_sees_what_is_redacted_and_says_so() -> None:
    secret = "in-no-event"
    body = as_body(generic_session(email=secret, statistics={"time_in_bed": 1, "place": {"lat": secret}}))
    normalise = redacting(generic.normalise, Redaction(["email", "statistics.place", "never"]))
    (event,) = normalise(body, context(source="mine"))
    assert secret not in str(event)
    assert event.raw is not None
    assert json.loads(event.raw)["email"] is None
    assert event.attributes["raw.redacted"] == "email,statistics.place"


def test_a_fact_that_is_redacted_is_missing() -> None:
    normalise = redacting(generic.normalise, Redaction(["user_id"]))
    with pytest.raises(InvalidDelivery) as refused:
        normalise(as_body(generic_session()), context(source="mine"))
    assert [path for path, _ in refused.value.problems] == ["user_id"]


def test_without_a_path_nothing_is_wrapped() -> None:
    assert redacting(generic.normalise, Redaction(())) is generic.normalise


def test_what_cannot_be_searched_is_refused_for_what_it_is() -> None:
    normalise = redacting(generic.normalise, Redaction(["a"]))
    with pytest.raises(NotJson):
        normalise(b"{", context())
    with pytest.raises(InvalidDelivery):
        normalise(rb'{"t": "\ud800"}', context())


@pytest.mark.parametrize("path", ["a", "a.b", "*.b", "a b.ä", "a.?token", "a.*"])
def test_a_path_in_the_settings(path: str) -> None:
    made(path)


@pytest.mark.parametrize(
    "path", ["", ".", "a.", ".a", "a..b", "a.b*", "?token", "a.?", "a.?b.c", " a", "a.?t?"]
)
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ValidationError):
        made(path)


def made(path: str) -> Any:
    return Source.model_validate({"vendor": "generic", "schemes": [{"scheme": "none"}], "redact": [path]})
