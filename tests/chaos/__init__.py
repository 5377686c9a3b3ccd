"""Rounds of drawn load and drawn faults against real processes; what the table should hold is known."""
