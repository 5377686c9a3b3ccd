"""What every role needs once: settings, logs, metrics, clock, migrations, embedded services."""
