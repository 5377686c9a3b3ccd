"""One file per command of `session-relay`."""
