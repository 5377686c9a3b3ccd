import pytest

from config.errors import SettingsError
from config.rates import Rate
from config.settings import load

pytestmark = pytest.mark.usefixtures("nothing_set")
SOURCES = '{"one": {"vendor": "generic", "limit": "%s", "schemes": [{"scheme": "none"}]}}'


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("1/second", (1, 1)),
        ("100/minute", (100, 60)),
        ("5000/hour", (5_000, 3_600)),
        ("999999999/day", (999_999_999, 86_400)),
    ],
)
def test_a_rate_is_read(text: str, rate: tuple[int, int]) -> None:
    assert Rate.of(text) == rate


@pytest.mark.parametrize(
    "text",
    [
        "",
        "100",
        "0/minute",
        "-1/minute",
        "1.5/minute",
        "100/minutes",
        "100 / minute",
        "1e3/day",
        "\N{ARABIC-INDIC DIGIT ONE}/day",
        "1/day\n",
    ],
)
def test_anything_else_is_no_rate(text: str) -> None:
    with pytest.raises(ValueError, match="such as 100/minute"):
        Rate.of(text)


def test_no_limit_is_in_force_unless_asked_for() -> None:
    settings = load()
    assert (settings.relay.limit_per_address, settings.relay.limit_per_source) == (None, None)
    assert settings.http.trusted_proxies == ()


def test_limits_and_proxies_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAY__LIMIT_PER_ADDRESS", "100/minute")
    monkeypatch.setenv("RELAY__LIMIT_PER_SOURCE", "9/second")
    monkeypatch.setenv("HTTP__TRUSTED_PROXIES", "10.0.0.0/8, fd00::/8,192.0.2.7")
    monkeypatch.setenv("SOURCES", SOURCES % "off")
    settings = load()
    assert settings.relay.limit_per_address == "100/minute"
    assert settings.sources["one"].limit == "off"
    assert [str(network) for network in settings.http.trusted_proxies] == [
        "10.0.0.0/8",
        "fd00::/8",
        "192.0.2.7/32",
    ]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("RELAY__LIMIT_PER_ADDRESS", "lots", "RELAY__LIMIT_PER_ADDRESS: must be a rate such as 100/minute"),
        ("RELAY__LIMIT_PER_SOURCE", "off", "RELAY__LIMIT_PER_SOURCE: must be a rate such as 100/minute"),
        ("SOURCES", SOURCES % "1/week", "SOURCES.one.limit: must be a rate such as 100/minute"),
        ("HTTP__TRUSTED_PROXIES", "proxy", "HTTP__TRUSTED_PROXIES: must be networks such as 10.0.0.0/8"),
        ("HTTP__TRUSTED_PROXIES", "10.0.0.1/8", "HTTP__TRUSTED_PROXIES: must be networks such as"),
        ("HTTP__TRUSTED_PROXIES", "::1,0.0.0.0/0", "HTTP__TRUSTED_PROXIES: must not be every address"),
        ("RELAY__LIMIT_SHARE_MS", "-1", "RELAY__LIMIT_SHARE_MS: should be greater than or equal to 0"),
    ],
)
def test_what_can_not_be_used_is_told_at_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, told: str
) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(SettingsError) as raised:
        load()
    assert told in str(raised.value)
    assert text not in str(raised.value).replace("100/minute", "")
