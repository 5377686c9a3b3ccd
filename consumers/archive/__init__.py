"""The log in files of its own, for when retention has ended: written, checked, and read again."""
