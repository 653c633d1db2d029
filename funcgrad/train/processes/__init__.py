"""A run in several processes: the one that watches, and those that are watched."""
