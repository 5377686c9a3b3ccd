import re

import pytest

from config.migrations.apply import to_apply
from config.migrations.files import Migration, migrations, read


def test_a_files_name_and_first_line_say_how_it_runs() -> None:
    plain = read("0007_add_index.sql", "CREATE TABLE x ();")
    assert (plain.number, plain.name) == (7, "0007_add_index")
    assert (plain.in_transaction, plain.after_deploy) == (True, False)
    assert not read("0007_x.sql", "-- no transaction\nCREATE INDEX CONCURRENTLY …").in_transaction
    assert read("0007_drop_old_column_after_deploy.sql", "").after_deploy


@pytest.mark.parametrize("name", ["7_x.sql", "0007.sql", "0007_X.sql", "0007_x.py", "0007_x.sql.bak"])
def test_a_file_with_another_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not named"):
        read(name, "")


def test_our_files_are_numbered_without_a_gap_and_leave_transactions_to_the_runner() -> None:
    ours = migrations()
    assert [migration.number for migration in ours] == list(range(1, len(ours) + 1))
    for migration in ours:
        assert not re.search(r"^\s*(BEGIN|COMMIT|ROLLBACK)\s*;", migration.sql, re.IGNORECASE | re.MULTILINE)


def test_before_a_deploy_nothing_runs_past_what_has_to_wait() -> None:
    names = ["0001_a.sql", "0002_b_after_deploy.sql", "0003_c.sql"]
    lacking: list[Migration] = [read(name, "") for name in names]
    assert to_apply(lacking, before_deploy_only=True) == lacking[:1]
    assert to_apply(lacking, before_deploy_only=False) == lacking
    assert to_apply(lacking[2:], before_deploy_only=True) == lacking[2:]
