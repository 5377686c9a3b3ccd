-- For this transaction only. Waiting for a lock ends before the statement does, so that the two are told
-- apart; a client that falls silent inside the transaction loses its locks.
SELECT set_config('statement_timeout', %(statement_ms)s, true),
       set_config('lock_timeout', %(lock_ms)s, true),
       set_config('idle_in_transaction_session_timeout', %(idle_ms)s, true)
