"""``funcgrad graph`` and ``funcgrad diagnose``."""
