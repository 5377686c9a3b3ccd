"""A download is told as it goes, also where nobody sees a progress bar."""

import pytest

from config.embedded.download import Arrivals


def test_without_a_terminal_a_line_tells_what_has_arrived(capsys: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []
    with Arrivals(jars=46, present=2, say=said.append) as arrivals:
        with arrivals.file("kafka-clients-4.3.1.jar", 3_000_000) as add:
            add(1_000_000)
        with arrivals.file("kafka-clients-4.3.1.pom", 10) as add:
            add(10)
    assert said == ["downloading Kafka: 2 of 46 jars, 0 descriptions, 1.0 MB"]  # one line in five seconds
    assert capsys.readouterr().err.strip() == ""
