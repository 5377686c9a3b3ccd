-- Take what the last upsert has taken from the stage.
DELETE FROM stage WHERE folded
