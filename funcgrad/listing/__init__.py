"""``funcgrad rules``: the table of VJP rules for people, and what it lacks beside JAX's own."""
