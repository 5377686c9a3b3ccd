"""The command line, and the roles run together on embedded services."""
