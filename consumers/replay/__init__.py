"""Reading the log again, beside live traffic: to another topic, or into a table of its own."""
