"""The database's migrations: plain SQL files in `versions/`, run by alembic, one process at a time."""
