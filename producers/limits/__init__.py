"""How many requests are taken: counted in the process, shared with others in the background."""
