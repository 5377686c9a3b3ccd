"""`session-relay status`: the flow at a glance, from what the sidecars tell."""
