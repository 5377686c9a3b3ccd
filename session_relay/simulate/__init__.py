"""A sender of realistic nights, and a ledger of what the table should hold afterwards."""
