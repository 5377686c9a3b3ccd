-- Once a connection: the server notices in about 30 s that this client has vanished, and frees its locks.
SELECT set_config('tcp_keepalives_idle', '10', false),
       set_config('tcp_keepalives_interval', '5', false),
       set_config('tcp_keepalives_count', '4', false)
