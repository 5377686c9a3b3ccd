"""What webhooks missed, fetched from a vendor's API and published as the same events."""
