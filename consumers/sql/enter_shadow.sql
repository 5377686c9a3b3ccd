-- From here on `sessions` and `consumer_offsets` mean the shadow's on this connection. What is committed
-- there may be lost with the server: the offsets go with the rows, so it is only read again.
SELECT set_config('search_path', %(schema)s || ', ' || current_setting('search_path'), false),
       set_config('synchronous_commit', 'off', false),
       set_config('client_connection_check_interval', '2s', false)
