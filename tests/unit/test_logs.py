import json
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

PROGRAM = """
import logging, sys, threading, warnings
import structlog
from config.logs import configure
from config.sections import AppSettings

log = structlog.get_logger()  # before it is configured, as modules do
configure(AppSettings(log_format={log_format!r}, log_level={level!r}), "sink")
{body}
"""


def run(body: str, log_format: str = "auto", level: str = "INFO") -> subprocess.CompletedProcess[str]:
    program = PROGRAM.format(body=body, log_format=log_format, level=level)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


def lines(body: str, level: str = "INFO") -> list[dict[str, object]]:
    result = run(body, level=level)
    assert result.stdout == ""
    return [json.loads(line) for line in result.stderr.splitlines()]


def test_a_line_away_from_a_terminal_is_json_with_time_level_role_and_fields() -> None:
    [line] = lines("log.info('sink_started', port=9102)")
    told = datetime.fromisoformat(str(line.pop("timestamp")))
    assert abs(datetime.now(UTC) - told) < timedelta(minutes=1)
    assert line == {"event": "sink_started", "port": 9102, "level": "info", "role": "sink"}


def test_lines_below_the_level_are_left_out() -> None:
    body = "log.debug('a'); logging.getLogger('x').info('b'); log.warning('c')"
    assert [line["event"] for line in lines(body, level="WARNING")] == ["c"]


def test_libraries_lines_pass_the_same_processors() -> None:
    body = "logging.getLogger('kafka').warning('at %s', 'redis://:hunter2@h', extra={'user_id': 'bob'})"
    [line] = lines(body)
    assert (line["event"], line["user_id"], line["role"]) == (
        "at redis://:[redacted]@h",
        "[redacted]",
        "sink",
    )


def test_what_is_bound_to_the_context_is_part_of_each_line() -> None:
    body = "structlog.contextvars.bind_contextvars(request_id='r'); log.info('a')"
    assert lines(body)[0]["request_id"] == "r"


def test_secrets_in_nested_fields_and_tracebacks_are_redacted() -> None:
    body = """
log.info('a', request={'headers': {'x-api-key': 'hunter2'}, 'Authorization': 'hunter2'})
try:
    raise ValueError('postgresql://u:hunter2@h/x')
except ValueError:
    log.exception('failed')
"""
    result = run(body)
    assert "hunter2" not in result.stderr.replace("raise ValueError('postgresql://u:hunter2@h/x')", "")
    assert "ValueError: postgresql://u:[redacted]@h/x" in result.stderr


def test_an_uncaught_exception_is_a_line_without_quoted_rows() -> None:
    body = "hidden = 'local'\nraise RuntimeError('bad' + chr(10) + 'DETAIL:  Key (u)=(' + 'bo' + 'b)')"
    result = run(body)
    line = json.loads(result.stderr)
    assert (line["event"], line["level"], result.returncode) == ("process_crashed", "critical", 1)
    assert "DETAIL: [redacted]" in line["exception"]
    assert "bob" not in result.stderr


def test_a_thread_that_dies_is_a_line_too() -> None:
    body = """
def die():
    raise RuntimeError('gone')
thread = threading.Thread(target=die)
thread.start()
thread.join()
"""
    [line] = lines(body)
    assert line["event"] == "process_crashed"
    assert "RuntimeError: gone" in str(line["exception"])


def test_a_fault_below_python_tells_where_each_thread_was() -> None:
    result = run("import os\nhidden = 'hunter2'\nos.abort()")
    assert result.returncode == -signal.SIGABRT
    assert "Fatal Python error: Aborted" in result.stderr
    assert 'File "<string>", line 11 in <module>' in result.stderr
    assert "hunter2" not in result.stderr


def test_a_readable_line_shows_no_local_variables() -> None:
    body = """
def broken(key):
    return 1 / 0
try:
    broken('hunter2' + 'x')
except ZeroDivisionError:
    log.exception('failed', user_id='hunter2x')
"""
    result = run(body, log_format="console")
    assert "failed" in result.stderr
    assert "ZeroDivisionError" in result.stderr
    assert "hunter2x" not in result.stderr
    assert not result.stderr.startswith("{")
