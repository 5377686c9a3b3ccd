-- Makes room for another batch of the same transaction; after a COMMIT the stage is empty by itself.
TRUNCATE stage
